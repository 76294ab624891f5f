/** Linear warm-up from zero, then half a cosine down to the minimum; all in epochs, which may be fractions. */
export interface Schedule {
  readonly learningRate: number
  readonly warmupEpochs: number
  readonly epochs: number
  readonly minimum: number
}

/**
 * The learning rate at `epoch` + step / stepsPerEpoch, set before every optimizer step:
 * e < W: lr·e/W; else min + (lr − min)·½·(1 + cos(π(e − W)/(E − W))).
 */
export function learningRateAt(schedule: Schedule, epoch: number): number {
  const { learningRate, warmupEpochs, epochs, minimum } = schedule
  if (epoch < warmupEpochs) return (learningRate * epoch) / warmupEpochs
  const progress = epochs > warmupEpochs ? Math.min((epoch - warmupEpochs) / (epochs - warmupEpochs), 1) : 1
  return minimum + (learningRate - minimum) * 0.5 * (1 + Math.cos(Math.PI * progress))
}

/** Linear scaling rule (Goyal et al. 2017): base rate per 256 images of an optimizer step. */
export function scaledLearningRate(base: number, batchSize: number, accumulation = 1): number {
  return (base * batchSize * accumulation) / 256
}

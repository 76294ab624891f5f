import { streams } from '../../data/streams.js'
import { PhiloxStream } from '../../engine/random.js'
import { learningRateAt } from '../optim/schedule.js'
import { sigmoid } from './actionUnitMetrics.js'
import { type Design, fitSoftmaxRegression, predictClasses } from './softmaxRegression.js'

/** Frozen features, split into two parts with the same subjects. */
export interface ProbeData {
  /** [N, width], e.g. the fc_norm output, or the true AU labels, for the baseline that a perfect AU detector reaches. */
  readonly features: ArrayLike<number>
  readonly width: number
  /** Subject of each row, 0 … classes − 1. */
  readonly subjects: ArrayLike<number>
  readonly classes: number
  /** Rows to fit on and rows to score. */
  readonly train: ArrayLike<number>
  readonly test: ArrayLike<number>
}

function labelsOf(data: ProbeData, rows: ArrayLike<number>): Uint32Array {
  return Uint32Array.from(rows, (row) => data.subjects[row])
}

function accuracy(predicted: Uint32Array, truth: Uint32Array): number {
  return predicted.reduce((hits, guess, at) => hits + (guess === truth[at] ? 1 : 0), 0) / truth.length
}

/** Mean and standard deviation of each feature over the training rows; 1 for constant features. */
function featureScale({ features, width, train }: ProbeData): {
  mean: Float64Array
  deviation: Float64Array
} {
  const mean = new Float64Array(width)
  const deviation = new Float64Array(width)
  for (let at = 0; at < train.length; at++)
    for (let d = 0; d < width; d++) mean[d] += features[train[at] * width + d] / train.length
  for (let at = 0; at < train.length; at++)
    for (let d = 0; d < width; d++)
      deviation[d] += (features[train[at] * width + d] - mean[d]) ** 2 / train.length
  for (let d = 0; d < width; d++) deviation[d] = deviation[d] > 1e-20 ? Math.sqrt(deviation[d]) : 1
  return { mean, deviation }
}

/**
 * How well subjects can be identified: test accuracy of a softmax regression on standardized features, fitted to
 * convergence with l2 = 1/N (scikit-learn's default strength). Deterministic.
 */
export function identityProbe(data: ProbeData): number {
  const { mean, deviation } = featureScale(data)
  const design = (rows: ArrayLike<number>): Design => {
    const width = data.width + 1
    const x = new Float64Array(rows.length * width).fill(1)
    for (let at = 0; at < rows.length; at++)
      for (let d = 0; d < data.width; d++)
        x[at * width + d] = (data.features[rows[at] * data.width + d] - mean[d]) / deviation[d]
    return { x, rows: rows.length, width }
  }
  const train = labelsOf(data, data.train)
  const weights = fitSoftmaxRegression(design(data.train), train, data.classes, 1 / train.length)
  return accuracy(predictClasses(design(data.test), weights, data.classes), labelsOf(data, data.test))
}

const published = {
  batch: 64,
  weightDeviation: 2e-5,
  weightDecay: 0.05,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  schedule: { learningRate: 5e-5, warmupEpochs: 2, epochs: 20, minimum: 1e-6 },
}

/**
 * The protocol behind the paper's Figure 3, on given features (so without its augmentation and drop path): a linear
 * head without bias, weights N(0, 2e-5), one-hot BCE, AdamW, 20 short epochs; the best test accuracy of all epochs.
 * It stops long before convergence, so it measures the scale of the features as much as identity.
 */
export function publishedIdentityProbe(data: ProbeData, seed: number): number {
  const { width, classes } = data
  const stream = new PhiloxStream(seed, streams.publishedProbe)
  const weights = Float64Array.from(
    { length: width * classes },
    () => stream.normal() * published.weightDeviation,
  )
  const moment1 = new Float64Array(weights.length)
  const moment2 = new Float64Array(weights.length)
  const gradient = new Float64Array(weights.length)
  const design = (rows: ArrayLike<number>): Design => ({
    x: Float64Array.from({ length: rows.length * width }, (_, at) => {
      return data.features[rows[Math.floor(at / width)] * width + (at % width)]
    }),
    rows: rows.length,
    width,
  })
  const test = design(data.test)
  const testLabels = labelsOf(data, data.test)
  const batchSize = Math.min(published.batch, data.train.length)
  const steps = Math.floor(data.train.length / batchSize)
  let best = accuracy(predictClasses(test, weights, classes), testLabels)
  let updates = 0
  for (let epoch = 0; epoch < published.schedule.epochs; epoch++) {
    const order = stream.permutation(data.train.length)
    for (let step = 0; step < steps; step++) {
      const rows = order.subarray(step * batchSize, (step + 1) * batchSize).map((at) => data.train[at])
      bceGradient(design(rows), labelsOf(data, rows), weights, classes, gradient)
      const rate = learningRateAt(published.schedule, epoch + step / steps)
      adamwStep(weights, gradient, moment1, moment2, rate, ++updates)
    }
    best = Math.max(best, accuracy(predictClasses(test, weights, classes), testLabels))
  }
  return best
}

/** Gradient of the mean over batch × classes of the one-hot BCE: xᵀ(σ(x·W) − y)/(B·S). */
function bceGradient(
  { x, rows, width }: Design,
  labels: Uint32Array,
  weights: Float64Array,
  classes: number,
  gradient: Float64Array,
): void {
  gradient.fill(0)
  const residual = new Float64Array(classes)
  for (let row = 0; row < rows; row++) {
    residual.fill(0)
    for (let d = 0; d < width; d++) {
      const value = x[row * width + d]
      for (let c = 0; c < classes; c++) residual[c] += value * weights[d * classes + c]
    }
    for (let c = 0; c < classes; c++)
      residual[c] = (sigmoid(residual[c]) - (labels[row] === c ? 1 : 0)) / (rows * classes)
    for (let d = 0; d < width; d++) {
      const value = x[row * width + d]
      for (let c = 0; c < classes; c++) gradient[d * classes + c] += value * residual[c]
    }
  }
}

/** Loshchilov & Hutter 2019: decay shrinks the weight directly, apart from the adaptive step. */
function adamwStep(
  weights: Float64Array,
  gradient: Float64Array,
  moment1: Float64Array,
  moment2: Float64Array,
  rate: number,
  update: number,
): void {
  const { beta1, beta2, epsilon, weightDecay } = published
  const correction1 = 1 - beta1 ** update
  const correction2 = 1 - beta2 ** update
  for (let i = 0; i < weights.length; i++) {
    moment1[i] = beta1 * moment1[i] + (1 - beta1) * gradient[i]
    moment2[i] = beta2 * moment2[i] + (1 - beta2) * gradient[i] ** 2
    const step = moment1[i] / correction1 / (Math.sqrt(moment2[i] / correction2) + epsilon)
    weights[i] -= rate * (weightDecay * weights[i] + step)
  }
}

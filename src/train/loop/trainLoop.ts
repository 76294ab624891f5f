import type { StoredType } from '../../../kernels/stored.js'
import type { BatchSource, BatchState } from '../../data/batches.js'
import type { Tensor } from '../../engine/tensor.js'
import { UserError } from '../../errors.js'
import { learningRateAt } from '../optim/schedule.js'
import type { TrainingRun } from '../trainingRun.js'
import { LossHistory } from './lossHistory.js'
import { MicroBatches } from './microBatches.js'

/** Most steps whose losses are read from the device at once; fewer if they take longer than SECONDS. */
const STEPS_PER_READ = 25
const SECONDS_PER_READ = 2
/** WebGPU holds the batches of queued steps in memory: beyond this, the loop waits for the device. */
const MOST_UPLOADS_UNDER_WAY = 512 * 2 ** 20
/** Signals and timers are handled at least this often. */
const TURN_MS = 50

/** One optimizer step as it is logged. */
export interface StepRecord {
  /** Steps done, counting from 1. */
  readonly step: number
  /** Epochs done, a fraction within an epoch. */
  readonly epoch: number
  readonly learningRate: number
  /** By name, means over the step's micro-batches; in mixed precision `lossScale` and `skippedSteps` after it are among them. */
  readonly losses: Readonly<Record<string, number>>
}

export interface TrainLoopOptions {
  readonly run: TrainingRun
  /** Before the first step, when its memory is planned. */
  readonly onPlanned?: (work: MicroBatches) => void
  /** Training waits for the promise. */
  readonly onSteps: (steps: readonly StepRecord[], imagesPerSecond: number) => void | Promise<void>
  /** After each epoch; epochs count from 1. */
  readonly onEpoch: (epoch: number) => Promise<void>
  /** True to stop: the loop ends after the current step. */
  readonly stopRequested: () => boolean
}

/** A loss or a gradient became NaN or infinite. */
export class DivergedError extends UserError {}

/** Optimizer steps in an epoch. */
export function stepsPerEpoch(batches: BatchSource, accumulation: number): number {
  const steps = Math.floor(batches.batchesPerEpoch / accumulation)
  if (steps === 0) {
    throw new UserError(
      `accumulation ${accumulation} exceeds the ${batches.batchesPerEpoch} batches of an epoch, so no step would complete`,
    )
  }
  return steps
}

/**
 * Trains from the optimizer's step count to the end of the schedule. Random draws depend on the step alone, so a
 * resumed run does what the uninterrupted one would have done.
 */
export async function trainLoop(options: TrainLoopOptions): Promise<'finished' | 'stopped'> {
  const { runtime, optimizer, schedule, batches, settings } = options.run
  const perEpoch = stepsPerEpoch(batches, settings.accumulation)
  const total = perEpoch * schedule.epochs
  const { made: report, release } = runtime.own(() => new StepReporter(options, perEpoch))
  const microBatches = new MicroBatches(options.run)
  options.onPlanned?.(microBatches)
  const giveTurn = eventLoopTurns()
  try {
    while (optimizer.stepCount < total) {
      await oneStep(options.run, microBatches, perEpoch, report)
      await giveTurn()
      const epochDone = optimizer.stepCount % perEpoch === 0
      const stop = options.stopRequested()
      if (report.due || epochDone || stop) await report.flush()
      if (epochDone) await options.onEpoch(optimizer.stepCount / perEpoch)
      report.resume()
      if (stop && optimizer.stepCount < total) return 'stopped'
    }
    return 'finished'
  } finally {
    microBatches.release()
    release()
  }
}

/** Cached batches and queued kernels never yield to the event loop; without this, Ctrl-C would not be handled. */
function eventLoopTurns(): () => Promise<void> {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < TURN_MS) return
    await new Promise((resolve) => setTimeout(resolve))
    last = performance.now()
  }
}

async function oneStep(
  run: TrainingRun,
  microBatches: MicroBatches,
  perEpoch: number,
  report: StepReporter,
): Promise<void> {
  const { runtime, optimizer, batches, random, schedule } = run
  const { accumulation } = run.settings
  const step = optimizer.stepCount
  const learningRate = learningRateAt(schedule, step / perEpoch)
  optimizer.prepare(learningRate, accumulation)
  seek(batches, { epoch: Math.floor(step / perEpoch), position: (step % perEpoch) * accumulation })
  for (let micro = 0; micro < accumulation; micro++) {
    const batch = await batches.next()
    if (runtime.uploadsUnderWay + batch.images.byteLength > MOST_UPLOADS_UNDER_WAY) await runtime.finish()
    run.upload(batch)
    random.setStep(step * accumulation + micro)
    const last = micro === accumulation - 1
    microBatches.queue({ first: micro === 0, last }, (losses) => report.push(losses))
  }
  report.endStep(step + 1, learningRate)
  runtime.flush()
}

/** Batches at the end of an epoch that do not fill a step are skipped. */
function seek(batches: BatchSource, { epoch, position }: BatchState): void {
  const { state } = batches
  if (state.epoch !== epoch || state.position !== position) batches.state = { epoch, position }
}

/** Collects losses on the device and reports them a few steps at a time, with the speed since the last read. */
class StepReporter {
  readonly #history: LossHistory
  readonly #readings: Readonly<Record<string, Tensor>>
  readonly #pending: Omit<StepRecord, 'losses'>[] = []
  /** Starts small: a stop waits for all steps that are queued on the device. */
  #stepsPerRead = 1
  #since = performance.now()

  constructor(
    readonly options: TrainLoopOptions,
    readonly perEpoch: number,
  ) {
    const { runtime, lossNames, optimizer, settings } = options.run
    this.#readings = optimizer.lossScale?.readings ?? {}
    const names = [...lossNames, ...Object.keys(this.#readings)]
    this.#history = new LossHistory(runtime, names, STEPS_PER_READ * settings.accumulation)
  }

  get due(): boolean {
    return this.#pending.length >= this.#stepsPerRead
  }

  /** Restarts the clock: evaluation and checkpoints do not count as training time. */
  resume(): void {
    if (this.#pending.length === 0) this.#since = performance.now()
  }

  /** Adds the losses of a micro-batch. */
  push(losses: readonly Tensor[]): void {
    this.#history.push([...losses, ...Object.values(this.#readings)])
  }

  /** The micro-batches since the last step form this step. */
  endStep(step: number, learningRate: number): void {
    this.#pending.push({ step, epoch: step / this.perEpoch, learningRate })
  }

  async flush(): Promise<void> {
    if (this.#pending.length === 0) return
    const micro = await this.#history.read()
    const { runtime, settings, lossNames } = this.options.run
    const { batchSize, accumulation } = settings
    const steps = this.#pending.map((record, i) => ({
      ...record,
      losses: lossesOfStep(micro.slice(i * accumulation, (i + 1) * accumulation), lossNames),
    }))
    const seconds = (performance.now() - this.#since) / 1000
    this.#pending.length = 0
    this.#stepsPerRead = stepsWithin(SECONDS_PER_READ, steps.length / seconds)
    await runtime.sentinel?.check()
    checkFinite(steps, this.options.run.settings.precision)
    await this.options.onSteps(steps, (steps.length * batchSize * accumulation) / seconds)
  }
}

/** Losses are means over the micro-batches, so that a non-finite one is not missed; other values are those after the last. */
function lossesOfStep(
  micro: readonly Readonly<Record<string, number>>[],
  lossNames: readonly string[],
): Record<string, number> {
  const mean = (name: string) => micro.reduce((sum, losses) => sum + losses[name], 0) / micro.length
  return { ...micro.at(-1)!, ...Object.fromEntries(lossNames.map((name) => [name, mean(name)])) }
}

function stepsWithin(seconds: number, stepsPerSecond: number): number {
  return Math.max(1, Math.min(STEPS_PER_READ, Math.floor(seconds * stepsPerSecond)))
}

const LOSS_TITLES: Readonly<Record<string, string>> = { loss: 'loss', au: 'AU loss', id: 'identity loss' }

function checkFinite(steps: readonly StepRecord[], precision: StoredType): void {
  const orSingle = precision === 'f16' ? ', or train with --precision f32' : ''
  for (const { step, losses } of steps) {
    if (losses.lossScale !== undefined && losses.lossScale < 1) {
      throw new DivergedError(
        `gradients are not finite at step ${step}, even unscaled; lower the learning rate, or train with --precision f32`,
      )
    }
    for (const [name, value] of Object.entries(losses)) {
      if (Number.isFinite(value)) continue
      throw new DivergedError(
        `the ${LOSS_TITLES[name] ?? name} became ${value} at step ${step}; lower the learning rate, or find the source with --debug${orSingle}`,
      )
    }
  }
}

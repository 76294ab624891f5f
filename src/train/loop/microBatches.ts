import { type CapturedStep, captureStep } from '../../engine/capturedStep.js'
import { StepMemory } from '../../engine/stepMemory.js'
import type { Tensor } from '../../engine/tensor.js'
import type { TrainingRun } from '../trainingRun.js'

/** Place of a micro-batch among those whose gradients make one update. */
export interface Place {
  /** Its gradients overwrite those of the step before. */
  readonly first: boolean
  /** The update follows it. */
  readonly last: boolean
}

/**
 * Queues the forward pass, the backward pass and the update of one training run. All shapes are fixed, so the work is recorded
 * once (see capture.ts) and replayed; only with `--debug`, whose scans need the ops one by one, it runs op by op.
 */
export class MicroBatches {
  readonly memory: StepMemory
  readonly #recorded = new Map<string, CapturedStep>()

  constructor(
    readonly run: TrainingRun,
    readonly replayed = run.runtime.sentinel === null,
  ) {
    this.memory = new StepMemory(run.runtime)
    if (replayed) this.#record()
  }

  /** Queues the micro-batch that lies in the run's input tensors; `results` gets its losses while they are valid. */
  queue(place: Place, results: (losses: readonly Tensor[]) => void): void {
    const { runtime, optimizer } = this.run
    if (!this.replayed) {
      runtime.scope(() => {
        results(this.#work(place))
        return undefined
      })
      return
    }
    results(this.#recorded.get(key(place))!.run())
    if (place.last) optimizer.stepCount++
  }

  /** Bytes that live at the worst moment of any micro-batch. */
  get worstMomentBytes(): number {
    return Math.max(0, ...[...this.#recorded.values()].map(({ plan }) => plan.worstMomentBytes))
  }

  /** Gives the device memory back. */
  release(): void {
    this.memory.release()
  }

  #record(): void {
    const { runtime, optimizer, settings } = this.run
    const { stepCount } = optimizer
    for (const place of places(settings.accumulation)) {
      this.#recorded.set(
        key(place),
        captureStep(runtime, () => this.#work(place), this.memory),
      )
    }
    // A rehearsal is no step.
    optimizer.stepCount = stepCount
  }

  #work({ last }: Place): readonly Tensor[] {
    const losses = this.run.microBatch()
    if (last) this.run.optimizer.apply()
    return losses
  }
}

/** All places there are, in the order in which they come first. */
function places(accumulation: number): Place[] {
  if (accumulation === 1) return [{ first: true, last: true }]
  const middle = accumulation > 2 ? [{ first: false, last: false }] : []
  return [{ first: true, last: false }, ...middle, { first: false, last: true }]
}

function key({ first, last }: Place): string {
  return `${first ? 'first' : 'later'} ${last ? 'last' : 'earlier'}`
}

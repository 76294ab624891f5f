import { type CapturedStep, captureStep } from '../../engine/capturedStep.js'
import { StepMemory } from '../../engine/stepMemory.js'
import type { Tensor } from '../../engine/tensor.js'
import type { TrainingRun } from '../trainingRun.js'

/** Position of a micro-batch among those whose gradients form one update. */
export interface Place {
  /** Its gradients overwrite those of the step before. */
  readonly first: boolean
  /** The update follows it. */
  readonly last: boolean
}

/**
 * Queues the forward pass, the backward pass and the update of a training run. All shapes are fixed, so the work is
 * captured once (see capture.ts) and replayed. With `--debug` it runs op by op, because the checks need single ops.
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

  /** Queues the micro-batch in the run's input tensors; `results` receives its losses while they are valid. */
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

  /** Largest number of bytes live at once in any micro-batch. */
  get worstMomentBytes(): number {
    return Math.max(0, ...[...this.#recorded.values()].map(({ plan }) => plan.worstMomentBytes))
  }

  /** Frees the device memory. */
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
    // A rehearsal does not count as a step.
    optimizer.stepCount = stepCount
  }

  #work({ last }: Place): readonly Tensor[] {
    const losses = this.run.microBatch()
    if (last) this.run.optimizer.apply()
    return losses
  }
}

/** All positions, in the order in which they first occur. */
function places(accumulation: number): Place[] {
  if (accumulation === 1) return [{ first: true, last: true }]
  const middle = accumulation > 2 ? [{ first: false, last: false }] : []
  return [{ first: true, last: false }, ...middle, { first: false, last: true }]
}

function key({ first, last }: Place): string {
  return `${first ? 'first' : 'later'} ${last ? 'last' : 'earlier'}`
}

import { dropPathKernel, uniformKernel } from '../../kernels/random.js'
import { allocatePersistent, SLOT_ALIGNMENT } from './parameters.js'
import type { Runtime } from './runtime.js'
import type { Tensor } from './tensor.js'

/**
 * Address of the device's random draws: seed and stream, and the step as data. Draws are a pure function of it, so
 * a resumed run sets the step and continues with the same numbers (see random.ts).
 */
export class RandomState {
  readonly #state: Tensor

  constructor(
    readonly runtime: Runtime,
    readonly seed: number,
    readonly stream: number,
  ) {
    this.#state = allocatePersistent(runtime, [[4]], 'u32').parts[0]
  }

  setStep(step: number): void {
    this.runtime.write(this.#state, [this.seed, this.stream, step % 2 ** 32, Math.floor(step / 2 ** 32)])
  }

  /** Uniforms in [0, 1). */
  uniform(shape: readonly number[]): Tensor {
    const values = this.runtime.empty(shape)
    this.runtime.dispatch(uniformKernel(this.runtime.caps, values.size), [this.#state, values])
    return values
  }

  dropPath(rates: Tensor, table: Tensor, batch: number): void {
    this.runtime.dispatch(dropPathKernel(this.runtime.caps, batch, rates.size), [this.#state, rates, table])
  }
}

/** Scales of all drop-path branches of a model for one batch size, drawn by one dispatch a step. */
export class DropPath {
  /** One tensor [B] per branch: 0 where the branch is dropped, 1/(1 − rate) elsewhere. */
  readonly scales: readonly Tensor[]
  readonly #rates: Tensor
  readonly #table: Tensor
  readonly #paddedBatch: number

  constructor(runtime: Runtime, rates: readonly number[], batch: number) {
    this.#rates = allocatePersistent(runtime, [[rates.length]]).parts[0]
    runtime.write(this.#rates, rates)
    // Rows are padded so that each starts at an aligned offset and can be bound by itself.
    this.#paddedBatch = Math.ceil(batch / SLOT_ALIGNMENT) * SLOT_ALIGNMENT
    const table = allocatePersistent(
      runtime,
      rates.map(() => [batch]),
    )
    this.scales = table.parts
    this.#table = table.whole
  }

  draw(random: RandomState): void {
    random.dropPath(this.#rates, this.#table, this.#paddedBatch)
  }
}

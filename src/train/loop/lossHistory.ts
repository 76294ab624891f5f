import { carve } from '../../engine/parameters.js'
import type { Runtime } from '../../engine/runtime.js'
import type { Tensor } from '../../engine/tensor.js'

/**
 * Losses of the last steps, kept on the device and read together: a read makes the host wait for the device, and a
 * waiting host takes a core from a software adapter.
 */
export class LossHistory {
  readonly #whole: Tensor
  readonly #cells: readonly Tensor[]
  readonly #stride: number
  #filled = 0

  constructor(
    runtime: Runtime,
    readonly names: readonly string[],
    readonly capacity: number,
  ) {
    const { whole, parts } = carve(
      runtime,
      Array.from({ length: capacity * names.length }, () => [1]),
    )
    this.#whole = whole
    this.#cells = parts
    this.#stride = whole.size / parts.length
  }

  /** Queues copies of one step's scalars, in the order of `names`. */
  push(losses: readonly Tensor[]): void {
    const first = this.#filled++ * this.names.length
    losses.forEach((loss, i) => {
      loss.runtime.copy(loss, this.#cells[first + i]!)
    })
  }

  /** One record per step pushed since the last read. */
  async read(): Promise<Record<string, number>[]> {
    const values = await this.#whole.read()
    const steps = Array.from({ length: this.#filled }, (_, step) =>
      Object.fromEntries(
        this.names.map((name, i) => [name, values[(step * this.names.length + i) * this.#stride]!]),
      ),
    )
    this.#filled = 0
    return steps
  }
}

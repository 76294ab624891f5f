import { allocatePersistent } from '../../engine/parameters.js'
import type { Runtime } from '../../engine/runtime.js'
import { Tensor } from '../../engine/tensor.js'

/**
 * Losses of the last micro-batches, kept on the device and read together: each read makes the host wait for the device,
 * and a waiting host takes a core from a software adapter.
 */
export class LossHistory {
  readonly #whole: Tensor
  readonly #cells: readonly Tensor[]
  #filled = 0

  constructor(
    runtime: Runtime,
    readonly names: readonly string[],
    readonly capacity: number,
  ) {
    this.#whole = allocatePersistent(runtime, [[capacity * names.length]]).parts[0]
    const { storage } = this.#whole
    // Adjacent and unaligned: the cells are only copied to, never bound.
    this.#cells = Array.from({ length: capacity * names.length }, (_, i) => {
      const cell = { ...storage, byteOffset: storage.byteOffset + 4 * i, byteLength: 4 }
      return new Tensor(runtime, cell, [1], 'f32')
    })
  }

  /** Queues copies of one micro-batch's scalars, in the order of `names`. */
  push(losses: readonly Tensor[]): void {
    const first = this.#filled++ * this.names.length
    losses.forEach((loss, i) => {
      loss.runtime.copy(loss, this.#cells[first + i])
    })
  }

  /** One record per micro-batch pushed since the last read. */
  async read(): Promise<Record<string, number>[]> {
    const values = await this.#whole.read()
    const records = Array.from({ length: this.#filled }, (_, at) =>
      Object.fromEntries(this.names.map((name, i) => [name, values[at * this.names.length + i]])),
    )
    this.#filled = 0
    return records
  }
}

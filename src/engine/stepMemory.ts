import { bindingLimitError } from './errors.js'
import type { PooledBuffer } from './memory.js'
import type { MemoryPlan } from './memoryPlan.js'
import type { Runtime } from './runtime.js'

/**
 * The buffers of captured steps that take turns, such as the micro-batches of one optimizer step. None needs the contents
 * that another left, so all share the same buffers. The n-th buffer is as large as the n-th largest of any plan.
 */
export class StepMemory {
  readonly #sizes: number[] = []
  #held: PooledBuffer[] | null = null

  constructor(readonly runtime: Runtime) {}

  get bytes(): number {
    return this.#sizes.reduce((sum, size) => sum + size, 0)
  }

  /** Makes room for one more plan; before anything has run. */
  reserve(plan: MemoryPlan): void {
    if (this.#held) throw new Error('reserve: the memory is in use already')
    plan.buffers.forEach(({ bytes }, i) => {
      this.#sizes[i] = Math.max(this.#sizes[i] ?? 0, bytes)
    })
  }

  /** The buffers, taken from the device the first time. */
  take(): readonly PooledBuffer[] {
    const { memory } = this.runtime
    const largest = this.#sizes[0] ?? 0
    if (largest > memory.maxBindingBytes) throw bindingLimitError(largest, memory.maxBindingBytes)
    this.#held ??= this.#sizes.map((size) => memory.createBuffer(size))
    return this.#held
  }

  /** Frees all buffers; the steps must not run afterwards. */
  release(): void {
    this.runtime.flush()
    for (const held of this.#held ?? []) this.runtime.memory.destroyBuffer(held)
    this.#held = []
  }
}

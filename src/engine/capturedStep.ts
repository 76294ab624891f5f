import type { Kernel } from '../../kernels/kernel.js'
import type { Capture, Command } from './capture.js'
import type { MemoryPlan } from './memoryPlan.js'
import type { Runtime } from './runtime.js'
import type { StepMemory } from './stepMemory.js'
import type { Tensor } from './tensor.js'

/** A command with all that encoding it needs. */
export type ReadyCommand =
  | {
      readonly kind: 'dispatch'
      readonly kernel: Kernel
      readonly pipeline: GPUComputePipeline
      readonly bindGroup: GPUBindGroup
    }
  | Exclude<Command, { kind: 'dispatch' }>

/** A step that was rehearsed (`runtime.record`) and can be run again and again. */
export class CapturedStep {
  readonly plan: MemoryPlan
  readonly #commands: readonly Command[]
  #ready: readonly ReadyCommand[] | null = null

  constructor(
    readonly runtime: Runtime,
    readonly memory: StepMemory,
    capture: Capture,
    /** What the step returned: valid after each run until the next step in the same memory. */
    readonly results: readonly Tensor[],
  ) {
    this.plan = capture.plan(results.map((tensor) => tensor.storage))
    this.#commands = capture.commands
    memory.reserve(this.plan)
  }

  /** The step's kernels, in order. */
  get kernels(): readonly Kernel[] {
    return this.#commands.flatMap((command) => (command.kind === 'dispatch' ? [command.kernel] : []))
  }

  get dispatches(): number {
    return this.kernels.length
  }

  /** Queues the step. */
  run(): readonly Tensor[] {
    if (this.#ready) this.runtime.replay(this.#ready)
    else {
      this.#takeMemory()
      this.#ready = this.runtime.replayFirst(this.#commands)
    }
    return this.results
  }

  #takeMemory(): void {
    const buffers = this.memory.take()
    this.plan.buffers.forEach(({ tensors }, i) => {
      for (const { storage } of tensors) {
        storage.buffer = buffers[i].buffer
        storage.bufferId = buffers[i].id
      }
    })
    for (const { storage } of this.results) storage.alive = true
  }
}

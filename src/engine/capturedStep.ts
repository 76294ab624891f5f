import type { Kernel } from '../../kernels/kernel.js'
import { Capture, type Command, type ReadyCommand } from './capture.js'
import { DeviceError } from './errors.js'
import type { Storage } from './memory.js'
import type { MemoryPlan } from './memoryPlan.js'
import type { Runtime } from './runtime.js'
import { StepMemory } from './stepMemory.js'
import type { Tensor } from './tensor.js'

/**
 * Rehearses `step`: records its kernels without running them, and plans its memory without allocating it. Running the
 * result does what `step` does, with the current contents of outside tensors. Host code of `step` runs only once, here.
 * Steps that take turns share a `memory`.
 */
export function captureStep(
  runtime: Runtime,
  step: () => readonly Tensor[],
  memory = new StepMemory(runtime),
): CapturedStep {
  if (runtime.capturing) throw new DeviceError('captureStep: a step is already being captured')
  const capture = new Capture()
  runtime.capturing = capture
  try {
    return new CapturedStep(runtime, memory, capture, step())
  } finally {
    runtime.capturing = null
  }
}

/** A step that was rehearsed (`captureStep`) and can be run repeatedly. */
export class CapturedStep {
  readonly plan: MemoryPlan
  readonly #commands: readonly Command[]
  readonly #outside: ReadonlyMap<Storage, string>
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
    this.#outside = capture.outside()
    memory.reserve(this.plan)
  }

  /** The step's kernels, in order. */
  get kernels(): readonly Kernel[] {
    return this.#commands.flatMap((command) => (command.kind === 'dispatch' ? [command.kernel] : []))
  }

  /** Queues the step. @throws DeviceError if a tensor that it reads or writes was freed since. */
  run(): readonly Tensor[] {
    for (const [{ alive, byteLength }, user] of this.#outside) {
      if (alive) continue
      throw new DeviceError(`${user}: a tensor of ${byteLength} bytes that a captured step uses was freed`)
    }
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

/**
 * Capture and replay. A step whose shapes never change is rehearsed once. During the rehearsal nothing reaches the device:
 * kernels, copies and clears are recorded in order, and tensors have storage without a buffer. The recording gives the
 * lifetime of every tensor and hence the memory plan (memoryPlan.ts). Replaying the step then walks the list: no op code,
 * no allocation, no new bind groups, no garbage.
 *
 * Only data may change between runs: outside tensors that are written before each run (images, learning rate, seed).
 */
import type { Kernel } from '../../kernels/kernel.js'
import { DeviceError } from './errors.js'
import type { Storage } from './memory.js'
import { type MemoryPlan, type PlannedTensor, planMemory } from './memoryPlan.js'

export type Command =
  | { readonly kind: 'dispatch'; readonly kernel: Kernel; readonly storages: readonly Storage[] }
  | { readonly kind: 'copy'; readonly source: Storage; readonly target: Storage }
  | { readonly kind: 'clear'; readonly target: Storage }

/** A command with everything needed to encode it. */
export type ReadyCommand =
  | {
      readonly kind: 'dispatch'
      readonly kernel: Kernel
      readonly pipeline: GPUComputePipeline
      readonly bindGroup: GPUBindGroup
    }
  | Exclude<Command, { kind: 'dispatch' }>

/** The commands of a step, in order. The runtime fills it (see `captureStep`). */
export class Capture {
  readonly commands: Command[] = []
  readonly #own = new Set<Storage>()

  /** Storage without a buffer: the plan gives it one. */
  allocate(byteLength: number): Storage {
    const storage = { buffer: null, bufferId: -1, byteOffset: 0, byteLength, alive: true }
    this.#own.add(storage)
    return storage
  }

  /** Whether the step itself made this storage. */
  owns(storage: Storage): boolean {
    return this.#own.has(storage)
  }

  /** Storage that existed before the step, and the first command that uses it. Parameters live as long as the runtime. */
  outside(): ReadonlyMap<Storage, string> {
    const users = new Map<Storage, string>()
    for (const command of this.commands) {
      const user = command.kind === 'dispatch' ? command.kernel.name : command.kind
      for (const storage of storagesOf(command))
        if (!this.#own.has(storage) && !storage.permanent && !users.has(storage)) users.set(storage, user)
    }
    return users
  }

  /** Lays out the step's tensors; `kept` (its results) live to the end. */
  plan(kept: readonly Storage[]): MemoryPlan {
    const lives = new Map<Storage, PlannedTensor>()
    this.commands.forEach((command, time) => {
      for (const storage of storagesOf(command)) {
        if (!this.#own.has(storage)) continue
        const life = lives.get(storage)
        if (life) life.last = time
        else lives.set(storage, { storage, bytes: storage.byteLength, first: time, last: time })
      }
    })
    for (const storage of kept) {
      const life = lives.get(storage)
      if (!life) throw new DeviceError('captureStep: a result of the step was not made by any of its kernels')
      life.last = this.commands.length
    }
    return planMemory([...lives.values()])
  }
}

function storagesOf(command: Command): readonly Storage[] {
  if (command.kind === 'dispatch') return command.storages
  return command.kind === 'copy' ? [command.source, command.target] : [command.target]
}

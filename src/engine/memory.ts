import { bindingLimitError, DeviceError } from './errors.js'

/** A part of a GPU buffer that holds one tensor. `alive` becomes false when it returns to the pool. */
export interface Storage {
  /** null for a tensor of a captured step that has no memory yet (see capture.ts). */
  buffer: GPUBuffer | null
  /** Number of the buffer, for bind-group cache keys. */
  bufferId: number
  readonly byteOffset: number
  readonly byteLength: number
  alive: boolean
  /** Part of a buffer that is never freed (parameter arenas). */
  readonly permanent?: boolean
}

export interface PooledBuffer {
  readonly buffer: GPUBuffer
  readonly id: number
}

const usage = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST

/** Rounds up to one of eight sizes per octave: bounded waste, and repeated steps meet the same buffers. */
export function sizeClass(bytes: number): number {
  if (bytes <= 2048) return Math.max(256, Math.ceil(bytes / 256) * 256)
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 3)
  return Math.ceil(bytes / step) * step
}

/**
 * Buffers by size class, reused last-in first-out. Allocations inside a scope are freed at its end, so a repeated step
 * allocates nothing new and its bind groups stay valid.
 */
export class BufferPool {
  readonly #free = new Map<number, PooledBuffer[]>()
  readonly #scopes: Set<Storage>[] = []
  readonly #sizes = new Map<number, number>()
  #lasting: PooledBuffer[] | null = null
  #nextId = 0
  #bufferBytes = 0
  #peakBufferBytes = 0
  #liveBytes = 0
  #peakBytes = 0

  constructor(
    readonly device: GPUDevice,
    readonly maxBindingBytes: number,
  ) {}

  /**
   * `bufferBytes`: all existing buffers, including parameters and plans. `liveBytes`: those of the pool that are in use.
   * The peaks are the maxima of each.
   */
  get usage(): { bufferBytes: number; peakBufferBytes: number; liveBytes: number; peakBytes: number } {
    return {
      bufferBytes: this.#bufferBytes,
      peakBufferBytes: this.#peakBufferBytes,
      liveBytes: this.#liveBytes,
      peakBytes: this.#peakBytes,
    }
  }

  resetPeak(): void {
    this.#peakBytes = this.#liveBytes
    this.#peakBufferBytes = this.#bufferBytes
  }

  allocate(byteLength: number): Storage {
    if (byteLength > this.maxBindingBytes) throw bindingLimitError(byteLength, this.maxBindingBytes)
    // The rounded size may exceed a limit that the exact size meets.
    const size = Math.min(sizeClass(byteLength), this.maxBindingBytes - (this.maxBindingBytes % 4))
    const reused = this.#free.get(size)?.pop()
    const { buffer, id } = reused ?? this.#create(size)
    this.#liveBytes += size
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes)
    const storage: Storage = { buffer, bufferId: id, byteOffset: 0, byteLength, alive: true }
    this.#scopes.at(-1)?.add(storage)
    return storage
  }

  /** A buffer outside the size classes, never reused: parameter arenas, plans of captured steps. */
  createBuffer(size: number): PooledBuffer {
    const made = this.#create(size)
    this.#lasting?.push(made)
    return made
  }

  #create(size: number): PooledBuffer {
    const buffer = this.device.createBuffer({ size, usage: usage() })
    if (!buffer) throw new DeviceError(`the device could not create a buffer of ${size} bytes`)
    const id = this.#nextId++
    this.#sizes.set(id, size)
    this.#bufferBytes += size
    this.#peakBufferBytes = Math.max(this.#peakBufferBytes, this.#bufferBytes)
    return { buffer, id }
  }

  /** Runs `make` and adds the buffers that it creates (`createBuffer`) to `buffers`, even if it throws. */
  collectLasting<T>(buffers: PooledBuffer[], make: () => T): T {
    const outer = this.#lasting
    this.#lasting = buffers
    try {
      return make()
    } finally {
      this.#lasting = outer
    }
  }

  /** Destroys a buffer once the work queued before is done. */
  destroyBuffer({ buffer, id }: PooledBuffer): void {
    buffer.destroy()
    this.#bufferBytes -= this.#sizes.get(id)!
    this.#sizes.delete(id)
  }

  /** Destroys all free buffers of the pool. */
  trim(): void {
    for (const list of this.#free.values()) for (const entry of list) this.destroyBuffer(entry)
    this.#free.clear()
  }

  release(storage: Storage): void {
    if (!storage.alive || storage.permanent) return
    storage.alive = false
    const size = this.#sizes.get(storage.bufferId)!
    this.#liveBytes -= size
    const list = this.#free.get(size) ?? []
    list.push({ buffer: storage.buffer!, id: storage.bufferId })
    this.#free.set(size, list)
    for (const scope of this.#scopes) scope.delete(storage)
  }

  beginScope(): void {
    this.#scopes.push(new Set())
  }

  /** Frees what the scope allocated; `kept` moves to the enclosing scope. */
  endScope(kept: readonly Storage[]): void {
    const scope = this.#scopes.pop()!
    const outer = this.#scopes.at(-1)
    for (const storage of kept) if (scope.delete(storage)) outer?.add(storage)
    // Newest first, so that the next step, allocating in the same order, meets the same buffers.
    for (const storage of [...scope].reverse()) this.release(storage)
  }
}

import { sizeClass } from './memory.js'

interface Staging {
  readonly buffer: GPUBuffer
  readonly size: number
}

/** Staging buffers for reading; each is mapped, copied out and used again. */
export class Readback {
  readonly #free: Staging[] = []

  constructor(readonly device: GPUDevice) {}

  acquire(byteLength: number): Staging {
    const size = sizeClass(byteLength)
    const index = this.#free.findIndex((staging) => staging.size === size)
    if (index >= 0) return this.#free.splice(index, 1)[0]
    const buffer = this.device.createBuffer({
      size,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    })
    return { buffer, size }
  }

  async read(staging: Staging, byteLength: number): Promise<ArrayBuffer> {
    await staging.buffer.mapAsync(GPUMapMode.READ, 0, byteLength)
    // The mapped range dies with unmap: copy it out.
    const bytes = staging.buffer.getMappedRange(0, byteLength).slice(0)
    staging.buffer.unmap()
    this.#free.push(staging)
    return bytes
  }
}

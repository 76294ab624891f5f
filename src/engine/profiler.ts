import type { Kernel } from '../../kernels/kernel.js'

const CAPACITY = 2048

/** Times of one kernel over all its dispatches. */
export interface ProfileRow {
  readonly name: string
  readonly dispatches: number
  readonly milliseconds: number
  readonly gflops: number
  readonly gigabytesPerSecond: number
}

/**
 * Times every dispatch between two timestamps (`timestamp-query`) and relates it to the kernel's counted cost. It can time
 * whole passes instead, under the name of their first kernel: browsers round timestamps to 0.1 ms, which is too coarse
 * for short dispatches.
 */
export class Profiler {
  readonly #querySet: GPUQuerySet
  readonly #results: GPUBuffer
  readonly #staging: GPUBuffer
  #kernels: Kernel[] = []

  constructor(
    readonly device: GPUDevice,
    readonly per: 'dispatch' | 'pass' = 'dispatch',
  ) {
    this.#querySet = device.createQuerySet({ type: 'timestamp', count: 2 * CAPACITY })
    const size = 16 * CAPACITY
    this.#results = device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    })
    this.#staging = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ })
  }

  /**
   * Where the next dispatch or pass, which starts with `kernel`, writes its times; beyond the capacity they
   * go untimed.
   */
  timestamps(kernel: Kernel): GPUComputePassTimestampWrites | undefined {
    if (this.#kernels.length === CAPACITY) return undefined
    const index = 2 * this.#kernels.push(kernel) - 2
    return { querySet: this.#querySet, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 }
  }

  destroy(): void {
    for (const resource of [this.#querySet, this.#results, this.#staging]) resource.destroy()
  }

  /** Sums over all that was timed since the last call, slowest kernel first. Flush the runtime before. */
  async rows(): Promise<ProfileRow[]> {
    const kernels = this.#kernels
    this.#kernels = []
    if (kernels.length === 0) return []
    const encoder = this.device.createCommandEncoder()
    encoder.resolveQuerySet(this.#querySet, 0, 2 * kernels.length, this.#results, 0)
    encoder.copyBufferToBuffer(this.#results, 0, this.#staging, 0, 16 * kernels.length)
    this.device.queue.submit([encoder.finish()])
    await this.#staging.mapAsync(GPUMapMode.READ, 0, 16 * kernels.length)
    const times = new BigUint64Array(this.#staging.getMappedRange(0, 16 * kernels.length).slice(0))
    this.#staging.unmap()
    return summarise(kernels, times)
  }
}

function summarise(kernels: readonly Kernel[], times: BigUint64Array): ProfileRow[] {
  const sums = new Map<string, { dispatches: number; nanoseconds: number; flops: number; bytes: number }>()
  kernels.forEach((kernel, i) => {
    const sum = sums.get(kernel.name) ?? { dispatches: 0, nanoseconds: 0, flops: 0, bytes: 0 }
    sum.dispatches++
    // A clock that was reset in between runs backwards.
    sum.nanoseconds += Math.max(0, Number(times[2 * i + 1] - times[2 * i]))
    sum.flops += kernel.cost.flops
    sum.bytes += kernel.cost.bytes
    sums.set(kernel.name, sum)
  })
  return [...sums]
    .map(([name, { dispatches, nanoseconds, flops, bytes }]) => ({
      name,
      dispatches,
      milliseconds: nanoseconds / 1e6,
      gflops: flops / nanoseconds,
      gigabytesPerSecond: bytes / nanoseconds,
    }))
    .sort((a, b) => b.milliseconds - a.milliseconds)
}

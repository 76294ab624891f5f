import type { Kernel } from '../../kernels/kernel.js'
import type { Capabilities } from './capabilities.js'
import type { Capture, Command, ReadyCommand } from './capture.js'
import { DeviceError, ShapeError } from './errors.js'
import { byteLength, type DType, type HostNumbers, toDevice } from './hostArrays.js'
import { BufferPool, type PooledBuffer, type Storage } from './memory.js'
import { described } from './ops/checks.js'
import { PipelineCache } from './pipelines.js'
import type { Profiler } from './profiler.js'
import { Readback } from './readback.js'
import { ReadbackWait } from './readbackWait.js'
import { elementCount, type Tape, Tensor, type TensorRuntime } from './tensor.js'
import { VariantTable } from './variants.js'

/** How long to wait for the device's own error after a failed read. */
const TELLING_MS = 100
/**
 * After this many queued dispatches the encoder is submitted, so that the device does not wait for the host.
 */
const DISPATCHES_PER_SUBMIT = 256
/** Submits after this much work too: systems reset a GPU when a submit takes seconds (Windows after two). */
const FLOPS_PER_SUBMIT = 5e11

/** Checks the output of each kernel: the sentinel of `--debug`. */
export interface KernelWatch {
  /** Set if gradients may overflow: then only forward passes are checked. */
  forwardOnly: boolean
  /** Called after `kernel` was queued over `tensors`. */
  watch(kernel: Kernel, tensors: readonly Tensor[]): void
  /** Throws if it found something since the last call. */
  check(): Promise<void>
}

/**
 * Runs kernels on one device. Work is recorded into one command encoder and submitted rarely: when the host
 * reads or writes, or when enough is queued. Nothing here waits, except `readBytes`.
 */
export class Runtime implements TensorRuntime {
  readonly memory: BufferPool
  /** The tape being written, if any (see autograd.ts). */
  tape: Tape | null = null
  /** While a step is rehearsed: notes what would be queued (see capture.ts). */
  capturing: Capture | null = null
  profiler: Profiler | null = null
  sentinel: KernelWatch | null = null
  /** Which kernel variants run on this adapter. */
  readonly variants: VariantTable<Tensor>
  /** Since the start. */
  readonly counters = { dispatches: 0, submits: 0, uploadedBytes: 0 }
  /** Scalar 1: the gradient of a loss with respect to itself. */
  readonly one: Tensor
  /** Bound in place of an unused result of a kernel; four f32, never written. */
  readonly unused: Tensor

  readonly #pipelines: PipelineCache
  readonly #readback: Readback
  #patience = new ReadbackWait()
  #encoder: GPUCommandEncoder | null = null
  #pass: GPUComputePassEncoder | null = null
  #queued = { dispatches: 0, flops: 0 }
  #failure: DeviceError | null = null
  #closed = false
  /** Of the bytes uploaded, those that queued work surely no longer needs. */
  #uploadedBytesDone = 0

  constructor(
    readonly device: GPUDevice,
    readonly caps: Capabilities,
    readonly adapterNote: string,
  ) {
    this.memory = new BufferPool(device, Math.min(caps.maxBindingBytes, caps.maxBufferBytes))
    this.variants = new VariantTable(caps)
    this.#pipelines = new PipelineCache(device)
    this.#readback = new Readback(device)
    device.addEventListener('uncapturederror', (event) => {
      const { message } = (event as GPUUncapturedErrorEvent).error
      this.#failure ??= new DeviceError(message)
    })
    device.lost.then((info) => {
      if (!this.#closed)
        this.#failure ??= new DeviceError(`the device was lost (${info.reason}): ${info.message}`)
    })
    this.one = this.tensor([1], [1])
    this.unused = this.empty([4])
  }

  // ---- tensors ----

  /** Uninitialised. */
  empty(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    const allocator = this.capturing ?? this.memory
    return new Tensor(this, allocator.allocate(byteLength(dtype, elementCount(shape))), [...shape], dtype)
  }

  zeros(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    const tensor = this.empty(shape, dtype)
    this.clear(tensor)
    return tensor
  }

  /** @throws as `write`. */
  tensor(data: HostNumbers, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    const values = uploadable(data, shape, dtype)
    const tensor = this.empty(shape, dtype)
    this.#upload(tensor, values)
    return tensor
  }

  /**
   * Uploads `data`, an array of any numeric type. Work queued before still sees the old values.
   *
   * @throws TypeError or RangeError if the tensor cannot hold a value (see hostArrays.ts), DeviceError if their number
   * differs from the tensor's size.
   */
  write(tensor: Tensor, data: HostNumbers): void {
    this.#upload(tensor, uploadable(data, tensor.shape, tensor.dtype))
  }

  #upload(tensor: Tensor, values: ReturnType<typeof toDevice>): void {
    if (this.capturing) throw new DeviceError('write: inside a captured step; write before it runs')
    this.flush()
    const { buffer, byteOffset } = this.#live(tensor, 'write')
    const { queue } = this.device
    queue.writeBuffer(buffer!, byteOffset, values.buffer as ArrayBuffer, values.byteOffset, values.byteLength)
    this.counters.uploadedBytes += values.byteLength
  }

  clear(tensor: Tensor): void {
    const target = this.#live(tensor, 'clear')
    if (this.capturing) this.capturing.commands.push({ kind: 'clear', target })
    else this.#clear(target)
  }

  /** @throws ShapeError if sizes or types differ. */
  copy(source: Tensor, target: Tensor): void {
    const storages = { source: this.#live(source, 'copy'), target: this.#live(target, 'copy') }
    if (source.size !== target.size || source.dtype !== target.dtype)
      throw new ShapeError('copy', `${described('the source', source)}, ${described('the target', target)}`)
    if (this.capturing) this.capturing.commands.push({ kind: 'copy', ...storages })
    else this.#copy(storages.source, storages.target)
  }

  release(tensor: Tensor): void {
    this.#requireOwn(tensor, 'release')
    const { storage } = tensor
    if (this.capturing?.owns(storage)) storage.alive = false
    else this.memory.release(storage)
  }

  /** Frees all that `body` allocates, except the tensors it returns. */
  scope<T extends Tensor | readonly Tensor[] | undefined>(body: () => T): T {
    this.memory.beginScope()
    let kept: readonly Storage[] = []
    try {
      const result = body()
      kept = (result === undefined ? [] : [result].flat()).map((tensor) => (tensor as Tensor).storage)
      return result
    } finally {
      this.memory.endScope(kept)
    }
  }

  /**
   * Returns what `make` creates (a model, a training run) and a function that frees all its parameters, moments and
   * inputs, for programs that create one model after another. Do not use it after `release`. If `make` throws, what it
   * has created is freed.
   */
  own<T>(make: () => T): { made: T; release: () => void } {
    const buffers: PooledBuffer[] = []
    const release = () => {
      this.flush()
      for (const buffer of buffers) this.memory.destroyBuffer(buffer)
    }
    try {
      return { made: this.memory.collectLasting(buffers, make), release }
    } catch (error) {
      release()
      throw error
    }
  }

  // ---- work ----

  /** Queues one kernel over `tensors`, in the order of its bindings. */
  dispatch(kernel: Kernel, tensors: readonly Tensor[]): void {
    if (tensors.length !== kernel.bindings.length) {
      throw new DeviceError(
        `${kernel.name}: expected ${kernel.bindings.length} tensors, got ${tensors.length}`,
      )
    }
    const storages = tensors.map((tensor) => this.#live(tensor, kernel.name))
    if (this.capturing) {
      this.capturing.commands.push({ kind: 'dispatch', kernel, storages })
      return
    }
    this.#encode(kernel, storages)
    this.#flushIfFull()
    this.sentinel?.watch(kernel, tensors)
  }

  /** Queues the commands of a captured step. */
  replay(commands: readonly ReadyCommand[]): void {
    for (const command of commands) {
      if (command.kind === 'dispatch') {
        this.#encodeReady(command.kernel, command.pipeline, command.bindGroup)
        this.#flushIfFull()
      } else if (command.kind === 'copy') this.#copy(command.source, command.target)
      else this.#clear(command.target)
    }
  }

  /**
   * Queues commands for the first time; returns what is needed to queue them again. Submits after each new kernel: some
   * drivers compile a kernel when it first runs, in parallel to the translation of the next one.
   */
  replayFirst(commands: readonly Command[]): ReadyCommand[] {
    return commands.map((command) => {
      const known = this.#pipelines.size
      const ready = command.kind === 'dispatch' ? this.#ready(command.kernel, command.storages) : command
      this.replay([ready])
      if (this.#pipelines.size > known) this.flush()
      return ready
    })
  }

  #ready(kernel: Kernel, storages: readonly Storage[]): ReadyCommand {
    const entry = this.#pipelines.get(kernel)
    return { kind: 'dispatch', kernel, pipeline: entry.pipeline, bindGroup: entry.createBindGroup(storages) }
  }

  #encode(kernel: Kernel, storages: readonly Storage[]): void {
    const entry = this.#pipelines.get(kernel)
    this.#encodeReady(kernel, entry.pipeline, entry.bindGroup(storages))
  }

  #encodeReady(kernel: Kernel, pipeline: GPUComputePipeline, bindGroup: GPUBindGroup): void {
    const pass = this.#computePass(kernel)
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, bindGroup)
    const [x, y, z] = kernel.workgroups
    pass.dispatchWorkgroups(x, y, z)
    this.#queued.dispatches++
    this.#queued.flops += kernel.cost.flops
    this.counters.dispatches++
  }

  #clear({ buffer, byteOffset, byteLength }: Storage): void {
    this.#outsidePass().clearBuffer(buffer!, byteOffset, byteLength)
  }

  #copy(source: Storage, target: Storage): void {
    const { buffer, byteOffset, byteLength } = source
    this.#outsidePass().copyBufferToBuffer(buffer!, byteOffset, target.buffer!, target.byteOffset, byteLength)
  }

  /** Submits all queued work to the device. */
  flush(): void {
    if (!this.#encoder) return
    this.#endPass()
    this.device.queue.submit([this.#encoder.finish()])
    this.#encoder = null
    this.#queued = { dispatches: 0, flops: 0 }
    this.counters.submits++
    this.#patience.submitted()
  }

  #flushIfFull(): void {
    const { dispatches, flops } = this.#queued
    if (dispatches >= DISPATCHES_PER_SUBMIT || flops >= FLOPS_PER_SUBMIT) this.flush()
  }

  /** Reads a tensor's bytes; throws what went wrong on the device, if anything did. */
  async readBytes(tensor: Tensor): Promise<ArrayBuffer> {
    if (this.capturing) throw new DeviceError('read: inside a captured step; read its results after it ran')
    const { buffer, byteOffset, byteLength } = this.#live(tensor, 'read')
    const staging = this.#readback.acquire(byteLength)
    this.#outsidePass().copyBufferToBuffer(buffer!, byteOffset, staging.buffer, 0, byteLength)
    this.flush()
    this.#throwFailure()
    const { dispatches, uploadedBytes } = this.counters
    await this.#patience.wait(dispatches, tensor.storage)
    const bytes = await this.#readback.read(staging, byteLength).catch((error) => this.#throwReason(error))
    const idle = this.counters.dispatches === dispatches
    this.#patience.done(dispatches, this.#pipelines.size, tensor.storage, idle)
    this.#uploadedBytesDone = uploadedBytes
    this.#throwFailure()
    return bytes
  }

  /** Uploaded bytes that WebGPU may still hold copies of, since the last read. */
  get uploadsUnderWay(): number {
    return this.counters.uploadedBytes - this.#uploadedBytesDone
  }

  /** Waits until the device has done all queued work. */
  async finish(): Promise<void> {
    await this.readBytes(this.one)
  }

  /** Forgets the expected waiting times, because different work follows. */
  forgetPatience(): void {
    this.#patience = new ReadbackWait()
  }

  /** Destroys the device; every tensor of this runtime is dead afterwards. */
  close(): void {
    this.#closed = true
    this.#failure ??= new DeviceError('the runtime is closed')
    this.device.destroy()
  }

  /** A failed map has an unspecific error. The cause, such as device loss, is reported at about the same time. */
  async #throwReason(error: Error): Promise<never> {
    await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, TELLING_MS))])
    this.#throwFailure()
    throw error
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure
  }

  #requireOwn(tensor: Tensor, user: string): void {
    if (tensor.runtime !== this)
      throw new DeviceError(`${user}: a tensor [${tensor.shape}] belongs to another runtime`)
  }

  #live(tensor: Tensor, user: string): Storage {
    this.#requireOwn(tensor, user)
    if (this.#closed) throw new DeviceError(`${user}: the runtime is closed`)
    if (!tensor.storage.buffer && !this.capturing)
      throw new DeviceError(`${user}: a captured step has not run; [${tensor.shape}] is one of its tensors`)
    if (!tensor.storage.alive)
      throw new DeviceError(`${user}: a tensor [${tensor.shape}] was used after it was freed`)
    return tensor.storage
  }

  #commands(): GPUCommandEncoder {
    this.#encoder ??= this.device.createCommandEncoder()
    return this.#encoder
  }

  /** Timestamps mark the start and end of passes, so a profiler of dispatches gives each dispatch its own pass. */
  #computePass(kernel: Kernel): GPUComputePassEncoder {
    if (this.profiler?.per === 'dispatch') this.#endPass()
    if (!this.#pass) {
      const timestampWrites = this.profiler?.timestamps(kernel)
      this.#pass = this.#commands().beginComputePass(timestampWrites ? { timestampWrites } : {})
    }
    return this.#pass
  }

  #outsidePass(): GPUCommandEncoder {
    this.#endPass()
    return this.#commands()
  }

  #endPass(): void {
    this.#pass?.end()
    this.#pass = null
  }
}

function uploadable(data: HostNumbers, shape: readonly number[], dtype: DType) {
  const values = toDevice(data, dtype)
  const size = elementCount(shape)
  if (data.length !== size)
    throw new DeviceError(`write: tensor [${shape}] expects ${size} values, got ${data.length}`)
  return values
}

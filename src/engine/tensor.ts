import type { Kernel } from '../../kernels/kernel.js'
import type { StoredType } from '../../kernels/stored.js'
import type { Capabilities } from './capabilities.js'
import { ShapeError } from './errors.js'
import { type DType, fromDevice, type HostArray } from './hostArrays.js'
import type { Storage } from './memory.js'
import type { VariantTable } from './variants.js'

export type { DType, HostArray }

/** @throws ShapeError if `shape` is not a list of integers from 0 up; callers may be untyped. */
export function elementCount(shape: readonly number[]): number {
  if (!Array.isArray(shape)) throw wrongShape(shape)
  let product = 1
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) throw wrongShape(shape)
    product *= size
  }
  return product
}

function wrongShape(shape: readonly number[]): ShapeError {
  return new ShapeError('tensor', `shape [${shape}]; expected integers from 0 up`)
}

/**
 * A dense row-major array on the device. Shapes are fixed; storage may be shared (ops/reshape.ts, gradient
 * reversal).
 */
export class Tensor {
  readonly size: number
  requiresGrad = false

  constructor(
    readonly runtime: TensorRuntime,
    readonly storage: Storage,
    readonly shape: readonly number[],
    readonly dtype: DType,
  ) {
    this.size = elementCount(shape)
  }

  /** The stored type that kernels over this tensor use. @throws ShapeError for integers. */
  get stored(): StoredType {
    if (this.dtype === 'f32' || this.dtype === 'f16') return this.dtype
    throw new ShapeError('tensor', `${this.dtype} [${this.shape}] where f32 or f16 is expected`)
  }

  /** Another tensor over the same storage; not on the tape. */
  alias(shape: readonly number[] = this.shape): Tensor {
    return new Tensor(this.runtime, this.storage, shape, this.dtype)
  }

  /** Copies the values to the host. The copy is queued at once, so later writes do not disturb it. */
  async read(): Promise<HostArray> {
    const bytes = await this.runtime.readBytes(this)
    return fromDevice(bytes, this.dtype, this.size)
  }

  /** Frees the storage before its scope ends. */
  dispose(): void {
    this.runtime.release(this)
  }
}

/** A trainable tensor: a named slot in the parameter arena with its gradient beside it. */
export class Parameter extends Tensor {
  /**
   * Whether `gradient` holds something since the last `zeroGrad`; if not, the next gradient overwrites it.
   */
  gradientWritten = false
  /** Whether an op received the slot to write to since the last `zeroGrad`. */
  gradientLent = false
  /** The values rounded to f16, kept by the optimizer in mixed precision; products read this instead of the values. */
  shadow: Tensor | null = null

  constructor(
    runtime: TensorRuntime,
    storage: Storage,
    shape: readonly number[],
    readonly name: string,
    /** null for a frozen parameter. */
    readonly gradient: Tensor | null,
  ) {
    super(runtime, storage, shape, 'f32')
    this.requiresGrad = gradient !== null
  }
}

/**
 * Gradients of the inputs from that of the output. `taken(x)` returns the gradient that later uses of the input x have
 * accumulated, or null. An op that takes it must return the sum, which saves a pass over both. Otherwise, `backward` adds
 * the gradients.
 */
export type Backward = (dy: Tensor, taken: (input: Tensor) => Tensor | null) => readonly (Tensor | null)[]

/** An op that ran, for the backward pass (see autograd.ts). */
export interface TapeNode {
  readonly name: string
  readonly output: Tensor
  readonly inputs: readonly Tensor[]
  readonly backward: Backward
  /** Tensors that only this node's backward needs, besides inputs and output; freed after it. */
  readonly saved: readonly Tensor[]
}

/** Ops in the order in which they ran. */
export type Tape = TapeNode[]

/** The part of the runtime that tensors and ops use (runtime.ts). */
export interface TensorRuntime {
  readonly caps: Capabilities
  readonly variants: VariantTable<Tensor>
  /** The tape being written, if any. */
  tape: Tape | null
  /** Scalar 1: the gradient of a loss with respect to itself. */
  readonly one: Tensor
  /** Bound in place of an unused result of a kernel; four f32, never written. */
  readonly unused: Tensor
  /** Uninitialised. */
  empty(shape: readonly number[], dtype?: DType): Tensor
  clear(tensor: Tensor): void
  copy(source: Tensor, target: Tensor): void
  release(tensor: Tensor): void
  /** Frees all that `body` allocates, except the tensors it returns. */
  scope<T extends Tensor | readonly Tensor[] | undefined>(body: () => T): T
  /** Queues one kernel over `tensors`, in the order of its bindings. */
  dispatch(kernel: Kernel, tensors: readonly Tensor[]): void
  readBytes(tensor: Tensor): Promise<ArrayBuffer>
}

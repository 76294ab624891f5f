import type { Kernel } from '../../kernels/kernel.js'
import type { StoredType } from '../../kernels/stored.js'
import type { Capabilities } from './capabilities.js'
import { ShapeError } from './errors.js'
import { type DType, fromDevice, type HostArray } from './hostArrays.js'
import type { Storage } from './memory.js'
import type { VariantTable } from './variants.js'

export type { DType, HostArray }

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
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

  /** The stored type that kernels over this tensor are made for. @throws ShapeError for whole numbers. */
  get stored(): StoredType {
    if (this.dtype === 'f32' || this.dtype === 'f16') return this.dtype
    throw new ShapeError('tensor', `${this.dtype} [${this.shape}] where f32 or f16 is wanted`)
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

  /** Gives the storage back before its scope ends. */
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
  /** Whether an op was given the slot to write to since the last `zeroGrad`. */
  gradientLent = false
  /**
   * The values rounded to f16, kept by the optimiser in mixed precision; what products read instead of the
   * values.
   */
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
 * Gradients of the inputs from that of the output. `taken(x)` hands over what later uses of the input x gave
 * it so far, or null: an op that takes it returns the sum, which spares a pass over both. Whoever takes
 * nothing has its gradient added by `backward`.
 */
export type Backward = (dy: Tensor, taken: (input: Tensor) => Tensor | null) => readonly (Tensor | null)[]

/** One op that ran, for the way back (see autograd.ts). */
export interface TapeNode {
  readonly name: string
  readonly output: Tensor
  readonly inputs: readonly Tensor[]
  readonly backward: Backward
  /** What only this node's backward needs besides inputs and output; freed after it. */
  readonly saved: readonly Tensor[]
}

/** Ops in the order in which they ran. */
export type Tape = TapeNode[]

/** What a tensor, and an op over it, ask of the runtime that made it (runtime.ts). */
export interface TensorRuntime {
  readonly caps: Capabilities
  readonly variants: VariantTable<Tensor>
  /** The tape being written, if any. */
  tape: Tape | null
  /** Scalar 1: the gradient of a loss with respect to itself. */
  readonly one: Tensor
  /** Bound where a kernel has a result that is not wanted; four f32, never written. */
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

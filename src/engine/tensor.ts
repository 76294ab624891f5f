import type { StoredType } from '../../kernels/stored.js'
import { recordOp } from './autograd.js'
import { ShapeError } from './errors.js'
import { type DType, fromDevice, type HostArray } from './hostArrays.js'
import type { Storage } from './memory.js'
import type { Runtime } from './runtime.js'

export type { DType, HostArray }

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** A dense row-major array on the device. Shapes are fixed; storage may be shared (`reshape`, gradient reversal). */
export class Tensor {
  readonly size: number
  requiresGrad = false

  constructor(
    readonly runtime: Runtime,
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

  /** The same numbers under another shape of equal size. */
  reshape(shape: readonly number[]): Tensor {
    if (elementCount(shape) !== this.size) {
      throw new ShapeError(
        'reshape',
        `[${this.shape}] has ${this.size} elements, [${shape}] wants ${elementCount(shape)}`,
      )
    }
    return recordOp('reshape', this.alias(shape), [this], (dy) => [dy.alias(this.shape)])
  }

  /** Another tensor over the same storage; not on the tape. */
  alias(shape: readonly number[] = this.shape): Tensor {
    return new Tensor(this.runtime, this.storage, shape, this.dtype)
  }

  /** The same bits read as another type; not on the tape. */
  asType(dtype: DType): Tensor {
    return new Tensor(this.runtime, this.storage, this.shape, dtype)
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
  /** Whether `gradient` holds something since the last `zeroGrad`; if not, the next gradient overwrites it. */
  gradientWritten = false
  /** Whether an op was given the slot to write to since the last `zeroGrad`. */
  gradientLent = false
  /** The values rounded to f16, kept by the optimiser in mixed precision; what products read instead of the values. */
  shadow: Tensor | null = null

  constructor(
    runtime: Runtime,
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

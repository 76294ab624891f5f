import { castKernel } from '../../../kernels/cast.js'
import type { StoredType } from '../../../kernels/stored.js'
import { gradientTarget, recordOp } from '../autograd.js'
import type { Tensor } from '../tensor.js'

/**
 * The same numbers stored as `dtype`: x f32 or f16 → f16 (rounded) or f32. The gradient comes back in the
 * type of x.
 */
export function cast(x: Tensor, dtype: StoredType): Tensor {
  if (x.dtype === dtype) return x
  const y = converted(x, x.runtime.empty(x.shape, dtype), dtype)
  return recordOp('cast', y, [x], (dy) => [converted(dy, gradientTarget(x), x.stored)])
}

function converted(from: Tensor, to: Tensor, dtype: StoredType): Tensor {
  from.runtime.dispatch(castKernel(from.runtime.caps, from.size, dtype), [from, to])
  return to
}

import { geluBackward, geluForward } from '../../../kernels/elementwise.js'
import { gradientTarget, recordOp } from '../autograd.js'
import type { Tensor } from '../tensor.js'
import { requireElements } from './checks.js'

/**
 * Gaussian error linear unit, exact (erf) form: x·Φ(x). x: any shape → same shape. Hendrycks & Gimpel 2016.
 *
 * @throws ShapeError if x is empty.
 */
export function gelu(x: Tensor): Tensor {
  requireElements('gelu', 'x', x)
  const { runtime } = x
  const y = runtime.empty(x.shape, x.dtype)
  runtime.dispatch(geluForward(runtime.caps, x.size, x.stored), [x, y])
  return recordOp('gelu', y, [x], (dy) => {
    const dx = gradientTarget(x)
    runtime.dispatch(geluBackward(runtime.caps, x.size, x.stored), [x, dy, dx])
    return [dx]
  })
}

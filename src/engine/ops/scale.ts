import { scaleForward } from '../../../kernels/elementwise.js'
import { gradientTarget, recordOp } from '../autograd.js'
import type { Tensor } from '../tensor.js'
import { requireElements } from './checks.js'

/**
 * factor·x. x: any shape → same shape. The factor belongs to the model (a loss weight, say); something that
 * changes at every step goes into a tensor instead.
 *
 * @throws ShapeError if x is empty.
 */
export function scale(x: Tensor, factor: number): Tensor {
  requireElements('scale', 'x', x)
  const { runtime } = x
  const scaled = (source: Tensor, result: Tensor) => {
    runtime.dispatch(scaleForward(runtime.caps, x.size, factor, x.stored), [source, result])
    return result
  }
  return recordOp('scale', scaled(x, runtime.empty(x.shape, x.dtype)), [x], (dy) => [
    scaled(dy, gradientTarget(x)),
  ])
}

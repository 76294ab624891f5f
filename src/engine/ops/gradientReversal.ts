import { reverseGradient } from '../../../kernels/elementwise.js'
import { gradientTarget, recordOp } from '../autograd.js'
import type { Tensor } from '../tensor.js'
import { requireSingle } from './checks.js'

/**
 * Gradient reversal: hands x on, multiplies the gradient by −λ. x: any shape → same shape. lambda: f32 [1];
 * what it holds when backward runs counts, so a schedule of λ writes to it between steps.
 * Ganin & Lempitsky 2015, "Unsupervised domain adaptation by backpropagation".
 *
 * @throws ShapeError if lambda is not f32 [1].
 */
export function gradientReversal(x: Tensor, lambda: Tensor): Tensor {
  requireSingle('gradientReversal', 'lambda', lambda, [1])
  return recordOp('gradientReversal', x.alias(), [x], (dy) => {
    const dx = gradientTarget(x)
    x.runtime.dispatch(reverseGradient(x.runtime.caps, x.size, x.stored), [dy, lambda, dx])
    return [dx]
  })
}

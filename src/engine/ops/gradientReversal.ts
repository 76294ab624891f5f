import { scaleForward } from '../../../kernels/elementwise.js'
import { gradientTarget, recordOp } from '../autograd.js'
import type { Tensor } from '../tensor.js'

/**
 * Gradient reversal: hands x on, multiplies the gradient by −λ. x: any shape → same shape.
 * Ganin & Lempitsky 2015, "Unsupervised domain adaptation by backpropagation".
 */
export function gradientReversal(x: Tensor, lambda: number): Tensor {
  return recordOp('gradientReversal', x.alias(), [x], (dy) => {
    const dx = gradientTarget(x)
    x.runtime.dispatch(scaleForward(x.runtime.caps, x.size, -lambda, x.stored), [dy, dx])
    return [dx]
  })
}

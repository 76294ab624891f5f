import { addForward } from '../../../kernels/elementwise.js'
import { recordOp } from '../autograd.js'
import type { Tensor } from '../tensor.js'
import { requireSameShape } from './checks.js'

/**
 * a + b, element by element. Both have the same shape: nothing is broadcast. Both gradients are dy itself.
 *
 * @throws ShapeError if the shapes or types differ, or are empty.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  requireSameShape('add', 'a', a, 'b', b)
  const { runtime } = a
  const sum = runtime.empty(a.shape, a.dtype)
  runtime.dispatch(addForward(runtime.caps, sum.size, sum.stored), [a, b, sum])
  return recordOp('add', sum, [a, b], (dy) => [dy, dy])
}

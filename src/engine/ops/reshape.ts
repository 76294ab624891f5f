import { recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import { elementCount, type Tensor } from '../tensor.js'
import { described } from './checks.js'

/**
 * The same numbers, in the same storage, under another shape of equal size.
 *
 * @throws ShapeError if the sizes differ.
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const size = elementCount(shape)
  if (size !== x.size)
    throw new ShapeError('reshape', `${described('x', x)} of ${x.size} elements, [${shape}] expects ${size}`)
  return recordOp('reshape', x.alias(shape), [x], (dy) => [dy.alias(x.shape)])
}

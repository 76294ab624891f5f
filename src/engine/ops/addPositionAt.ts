import { addPositionAt as addPositionAtKernel } from '../../../kernels/tokens.js'
import { needsGrad, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { batchTokensWidth, described } from './checks.js'

/**
 * Adds position rows to tokens picked out of a sequence: y[b, m] = x[b, m] + position[0, firstRow +
 * indices[b, m]]. x: [B, M, D], position: f32 [1, P, D], indices: u32 [B, M], each below P − firstRow → [B,
 * M, D] of the type of x. The table is a fixed one: it gets no gradient, which would have to be gathered from
 * rows of many samples.
 *
 * @throws ShapeError if sizes or types do not fit, or the table is trained.
 */
export function addPositionAt(x: Tensor, position: Tensor, indices: Tensor, firstRow: number): Tensor {
  const sizes = batchTokensWidth('addPositionAt', 'x', x)
  const [one, P, width] = batchTokensWidth('addPositionAt', 'position', position)
  const [B, M, D] = sizes
  if (one !== 1 || width !== D || !Number.isInteger(firstRow) || firstRow < 0 || firstRow >= P) {
    const wants = `expected [1, more than ${firstRow}, ${D}]`
    throw new ShapeError(
      'addPositionAt',
      `${described('x', x)}, ${described('position', position)}; ${wants}`,
    )
  }
  if (indices.dtype !== 'u32' || indices.shape.join() !== `${B},${M}`) {
    const got = `${described('x', x)}, ${described('indices', indices)}`
    throw new ShapeError('addPositionAt', `${got}; expected u32 [${B},${M}]`)
  }
  if (needsGrad(position)) {
    throw new ShapeError(
      'addPositionAt',
      `${described('position', position)} is trained; expected a fixed table`,
    )
  }
  const { runtime } = x
  const y = runtime.empty(x.shape, x.dtype)
  const kernel = addPositionAtKernel(runtime.caps, sizes, firstRow, x.stored)
  runtime.dispatch(kernel, [x, position, indices, y])
  return recordOp('addPositionAt', y, [x], (dy) => [dy])
}

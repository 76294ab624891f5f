import { addPositionBackward, addPositionForward } from '../../../kernels/tokens.js'
import { gradientTarget, needsGrad, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { batchTokensWidth, described } from './checks.js'

/**
 * Adds position rows: y[b, t] = x[b, t] + position[0, firstRow + t]. x: [B, T, D], position: f32 [1, P, D] →
 * [B, T, D] of the type of x. The position's gradient is the sum over the batch, zero in rows that were not
 * used.
 *
 * @throws ShapeError if the widths differ or the table has no row firstRow + T − 1.
 */
export function addPosition(x: Tensor, position: Tensor, firstRow: number): Tensor {
  const sizes = batchTokensWidth('addPosition', 'x', x)
  const [one, P, width] = batchTokensWidth('addPosition', 'position', position)
  const [, T, D] = sizes
  if (one !== 1 || width !== D || !Number.isInteger(firstRow) || firstRow < 0 || firstRow + T > P) {
    const wants = `expected [1, at least ${firstRow + T}, ${D}] for the rows from ${firstRow}`
    throw new ShapeError('addPosition', `${described('x', x)}, ${described('position', position)}; ${wants}`)
  }
  const { runtime } = x
  const y = runtime.empty(x.shape, x.dtype)
  runtime.dispatch(addPositionForward(runtime.caps, sizes, firstRow, x.stored), [x, position, y])
  return recordOp('addPosition', y, [x, position], (dy) => {
    if (!needsGrad(position)) return [dy, null]
    const dPosition = gradientTarget(position)
    runtime.dispatch(addPositionBackward(runtime.caps, sizes, P, firstRow, dy.stored), [dy, dPosition])
    return [dy, dPosition]
  })
}

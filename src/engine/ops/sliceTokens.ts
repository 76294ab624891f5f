import { placeRows, sliceRows } from '../../../kernels/tokens.js'
import { gradientTarget, recordOp } from '../autograd.js'
import type { Tensor } from '../tensor.js'
import { batchTokensWidth, requireTokenRange } from './checks.js'

/**
 * Tokens start…start+count-1 of every sample. x: [B, T, D] → [B, count, D].
 *
 * @throws ShapeError if x has no such tokens.
 */
export function sliceTokens(x: Tensor, start: number, count: number): Tensor {
  const sizes = batchTokensWidth('sliceTokens', 'x', x)
  requireTokenRange('sliceTokens', x, start, count)
  const [B, , D] = sizes
  const { runtime } = x
  const y = runtime.empty([B, count, D], x.dtype)
  runtime.dispatch(sliceRows(runtime.caps, sizes, start, count, x.stored, x.stored), [x, y])
  return recordOp('sliceTokens', y, [x], (dy) => {
    const dx = gradientTarget(x)
    runtime.dispatch(placeRows(runtime.caps, sizes, start, count, x.stored), [dy, dx])
    return [dx]
  })
}

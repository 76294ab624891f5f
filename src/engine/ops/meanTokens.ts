import { meanRowsBackward, meanRowsForward } from '../../../kernels/tokens.js'
import { gradientTarget, recordOp } from '../autograd.js'
import type { Tensor } from '../tensor.js'
import { batchTokensWidth, requireTokenRange } from './checks.js'

/**
 * Mean over the tokens start…T-1 of every sample (global average pooling; start = 1 leaves the class token
 * out). x: [B, T, D] → f32 [B, D], what heads work in.
 *
 * @throws ShapeError if no token is left.
 */
export function meanTokens(x: Tensor, start: number): Tensor {
  const sizes = batchTokensWidth('meanTokens', 'x', x)
  const [B, T, D] = sizes
  requireTokenRange('meanTokens', x, start, T - start)
  const { runtime } = x
  const y = runtime.empty([B, D])
  runtime.dispatch(meanRowsForward(runtime.caps, sizes, start, x.stored), [x, y])
  return recordOp('meanTokens', y, [x], (dy) => {
    const dx = gradientTarget(x)
    runtime.dispatch(meanRowsBackward(runtime.caps, sizes, start, x.stored), [dy, dx])
    return [dx]
  })
}

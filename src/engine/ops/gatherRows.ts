import { gatherRows as gatherKernel, scatterRows } from '../../../kernels/tokens.js'
import { gradientTarget, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { batchTokensWidth, described } from './checks.js'

/**
 * Picks token rows: y[b, m] = x[b, indices[b, m]]. x: [B, N, D], indices: u32 [B, M] → [B, M, D].
 * The indices of one sample are distinct and below N (a part of a permutation), so the gradient is a plain
 * scatter: dx[b, indices[b, m]] = dy[b, m], zero in rows that were not picked.
 *
 * @throws ShapeError if the batches differ, M > N, or the indices are not u32.
 */
export function gatherRows(x: Tensor, indices: Tensor): Tensor {
  const [B, N, D] = batchTokensWidth('gatherRows', 'x', x)
  const [batch, M] = indices.shape
  if (indices.shape.length !== 2 || indices.dtype !== 'u32' || batch !== B || M < 1 || M > N) {
    const wants = `expected u32 [${B}, 1…${N}]`
    throw new ShapeError('gatherRows', `${described('x', x)}, ${described('indices', indices)}; ${wants}`)
  }
  const { runtime } = x
  const y = runtime.empty([B, M, D], x.dtype)
  runtime.dispatch(gatherKernel(runtime.caps, B, N, M, D, x.stored), [x, indices, y])
  return recordOp('gatherRows', y, [x], (dy) => {
    const dx = gradientTarget(x)
    // A whole permutation fills every row.
    if (M < N) runtime.clear(dx)
    runtime.dispatch(scatterRows(runtime.caps, B, N, M, D, x.stored), [dx, indices, dy])
    return [dx]
  })
}

import { addForward, residualForward, scaleSamples } from '../../../kernels/elementwise.js'
import { gradientTarget, needsGrad, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { described, requireSameShape } from './checks.js'

/**
 * Residual connection with drop path (stochastic depth, Huang et al. 2016): y[b] = x[b] + keep[b]·branch[b].
 * x, branch: [B, ...]; keep: [B], each 0 or 1/keepProbability, or null where nothing is dropped → [B, ...].
 *
 * @throws ShapeError if x and branch differ in shape or type, or keep is not [B].
 */
export function residual(x: Tensor, branch: Tensor, keep: Tensor | null): Tensor {
  requireSameShape('residual', 'x', x, 'branch', branch)
  const { runtime } = x
  const y = runtime.empty(x.shape, x.dtype)
  if (!keep) {
    runtime.dispatch(addForward(runtime.caps, x.size, x.stored), [x, branch, y])
    return recordOp('residual', y, [x, branch], (dy) => [dy, dy])
  }
  const B = x.shape[0]
  if (keep.shape.length !== 1 || keep.size !== B) {
    throw new ShapeError('residual', `${described('x', x)}, ${described('keep', keep)}; expected [${B}]`)
  }
  runtime.dispatch(residualForward(runtime.caps, x.size, B, x.stored), [x, branch, keep, y])
  return recordOp('residual.dropPath', y, [x, branch], (dy) => {
    if (!needsGrad(branch)) return [dy, null]
    const dBranch = gradientTarget(branch)
    runtime.dispatch(scaleSamples(runtime.caps, x.size, B, x.stored), [dy, keep, dBranch])
    return [dy, dBranch]
  })
}

import {
  bcePartials,
  bceWithLogitsBackward,
  bceWithLogitsForward,
  finishMean,
} from '../../../kernels/loss.js'
import { gradientTarget, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'

/**
 * Binary cross-entropy with logits, the mean over all elements:
 * loss = mean(max(x,0) − x·y + log(1 + e^−|x|)), gradient (σ(x) − y) / count. Safe for logits of any size.
 * logits [B,A] (any shape), targets f32 of the same shape in [0,1] → [1]. Targets get no gradient.
 * @throws ShapeError if the shapes differ, are empty, or the targets are not f32.
 */
export function bceWithLogits(logits: Tensor, targets: Tensor): Tensor {
  check(logits, targets)
  const { runtime } = logits
  const partials = runtime.empty([bcePartials(logits.size)])
  const loss = runtime.empty([1])
  runtime.dispatch(bceWithLogitsForward(runtime.caps, logits.size), [logits, targets, partials])
  runtime.dispatch(finishMean(runtime.caps, partials.size, logits.size), [partials, loss])
  partials.dispose()
  return recordOp('bceWithLogits', loss, [logits], (dy) => {
    const dx = gradientTarget(logits)
    runtime.dispatch(bceWithLogitsBackward(runtime.caps, logits.size), [logits, targets, dy, dx])
    return [dx]
  })
}

function check(logits: Tensor, targets: Tensor): void {
  if (logits.size === 0) throw new ShapeError('bceWithLogits', `no logits: [${logits.shape}]`)
  if (logits.shape.join() !== targets.shape.join()) {
    throw new ShapeError('bceWithLogits', `logits are [${logits.shape}], targets are [${targets.shape}]`)
  }
  if (logits.dtype !== 'f32' || targets.dtype !== 'f32') {
    throw new ShapeError(
      'bceWithLogits',
      `expected f32, got ${logits.dtype} logits and ${targets.dtype} targets`,
    )
  }
}

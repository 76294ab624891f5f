import { finishMean, softmaxCrossEntropyBackward, softmaxCrossEntropyForward } from '../../../kernels/loss.js'
import { gradientTarget, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'

/**
 * Softmax cross-entropy, the mean over the batch: loss = log Σ e^x − (1−ε)·x[label] − ε·mean(x), gradient
 * (softmax(x) − (1−ε)·onehot − ε/S) / B, with label smoothing ε (Szegedy et al. 2016).
 * logits [B,S], labels u32 [B] → [1]. A label ≥ S gives the loss NaN.
 * @throws ShapeError on other shapes or types, RangeError on a smoothing outside 0…1.
 */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor, smoothing = 0): Tensor {
  check(logits, labels)
  if (!(smoothing >= 0 && smoothing <= 1)) {
    throw new RangeError(`softmaxCrossEntropy: smoothing must be in 0…1, got ${smoothing}`)
  }
  const { runtime } = logits
  const [batch, classes] = logits.shape
  const rowLoss = runtime.empty([batch])
  const stats = runtime.empty([batch, 2])
  const loss = runtime.empty([1])
  const forward = softmaxCrossEntropyForward(runtime.caps, batch, classes, smoothing)
  runtime.dispatch(forward, [logits, labels, rowLoss, stats])
  runtime.dispatch(finishMean(runtime.caps, batch, batch), [rowLoss, loss])
  rowLoss.dispose()
  const backward = (dy: Tensor) => {
    const dx = gradientTarget(logits)
    const kernel = softmaxCrossEntropyBackward(runtime.caps, batch, classes, smoothing)
    runtime.dispatch(kernel, [logits, labels, stats, dy, dx])
    return [dx]
  }
  return recordOp('softmaxCrossEntropy', loss, [logits], backward, [stats])
}

function check(logits: Tensor, labels: Tensor): void {
  const op = 'softmaxCrossEntropy'
  if (logits.shape.length !== 2 || logits.size === 0) {
    throw new ShapeError(op, `logits must be [B,S] and not empty, got [${logits.shape}]`)
  }
  if (labels.shape.length !== 1 || labels.shape[0] !== logits.shape[0]) {
    throw new ShapeError(
      op,
      `logits [${logits.shape}] require labels [${logits.shape[0]}], got [${labels.shape}]`,
    )
  }
  if (logits.dtype !== 'f32' || labels.dtype !== 'u32') {
    throw new ShapeError(op, `expected f32 logits and u32 labels, got ${logits.dtype} and ${labels.dtype}`)
  }
}

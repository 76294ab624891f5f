import {
  finishMasked,
  maskedPatchLossBackward,
  maskedPatchLossForward,
  type TargetImages,
} from '../../../kernels/maskedPatchLoss.js'
import { recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'

/**
 * The masked autoencoder's loss (He et al. 2022): squared error, mean over each patch, mean over masked
 * patches:
 * Σ mask·mean_P((pred − t̂)²) / Σ mask, sums over the whole batch. With `normPix` the target of each patch is
 * t̂ = (t − mean) / sqrt(var + 1e-6), its variance unbiased (÷ P−1); otherwise t̂ = t.
 * pred f32 or f16 [B,L,P]; target f32 [B,L,P], or the images [B,C,S,S] whose patches, in (row, column,
 * channel) order, are the target; mask f32 [B,L] (1 = hidden from the encoder) → [1]. Only pred gets a
 * gradient, and that is written over its values: do not read pred after backward. Where nothing is masked,
 * loss and gradient are 0.
 * @throws ShapeError on other shapes or types, or normPix with P < 2.
 */
export function maskedPatchLoss(pred: Tensor, target: Tensor, mask: Tensor, normPix: boolean): Tensor {
  check(pred, target, mask, normPix)
  const images = targetImages(pred, target)
  const { runtime } = pred
  const rows = mask.size
  const length = pred.shape[2]
  const rowLoss = runtime.empty([rows])
  const stats = runtime.empty([rows, 2])
  const inverseMaskSum = runtime.empty([1])
  const loss = runtime.empty([1])
  const forward = maskedPatchLossForward(runtime.caps, rows, length, normPix, images, pred.stored)
  runtime.dispatch(forward, [pred, target, mask, rowLoss, stats])
  runtime.dispatch(finishMasked(runtime.caps, rows), [rowLoss, mask, loss, inverseMaskSum])
  rowLoss.dispose()
  const backward = (dy: Tensor) => {
    const kernel = maskedPatchLossBackward(runtime.caps, rows, length, images, pred.stored)
    runtime.dispatch(kernel, [pred, target, mask, stats, inverseMaskSum, dy])
    return [pred.alias()]
  }
  return recordOp('maskedPatchLoss', loss, [pred], backward, [stats, inverseMaskSum])
}

/**
 * Where the patches of `pred` lie in a target of images; null for a target of patches, or one that does not
 * fit.
 */
function targetImages(pred: Tensor, target: Tensor): TargetImages | null {
  if (target.shape.length !== 4) return null
  const [B, L, P] = pred.shape as [number, number, number]
  const [samples, channels, imageSize, columns] = target.shape as [number, number, number, number]
  const patchSize = imageSize / Math.sqrt(L)
  const fits = samples === B && columns === imageSize && channels * patchSize ** 2 === P
  return fits && Number.isInteger(patchSize) ? { channels, imageSize, patchSize } : null
}

function check(pred: Tensor, target: Tensor, mask: Tensor, normPix: boolean): void {
  const op = 'maskedPatchLoss'
  if (pred.shape.length !== 3 || pred.size === 0) {
    throw new ShapeError(op, `pred must be [B,L,P] and not empty, got [${pred.shape}]`)
  }
  if (target.shape.join() !== pred.shape.join() && !targetImages(pred, target)) {
    throw new ShapeError(op, `pred is [${pred.shape}], target is [${target.shape}]`)
  }
  const wanted = pred.shape.slice(0, 2)
  if (mask.shape.join() !== wanted.join()) {
    throw new ShapeError(op, `pred [${pred.shape}] expects a mask [${wanted}], got [${mask.shape}]`)
  }
  const floats = pred.dtype === 'f32' || pred.dtype === 'f16'
  if (!floats || target.dtype !== 'f32' || mask.dtype !== 'f32') {
    throw new ShapeError(
      op,
      `expected f32 or an f16 pred, got ${pred.dtype} pred, ${target.dtype} target, ${mask.dtype} mask`,
    )
  }
  if (normPix && pred.shape[2] < 2) {
    throw new ShapeError(op, `normPix needs patches of at least 2 values, got [${pred.shape}]`)
  }
}

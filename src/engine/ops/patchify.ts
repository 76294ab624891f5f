import {
  type PatchGeometry,
  type PatchOrder,
  patchify as patchifyKernel,
  unpatchify as unpatchifyKernel,
} from '../../../kernels/patchify.js'
import type { StoredType } from '../../../kernels/stored.js'
import { gradientTarget, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { batchTokensWidth, described, requireElements } from './checks.js'

/**
 * Cuts square images into patches. images: f32 [B, C, S, S] → `dtype` [B, (S/p)², p·p·C], the patch grid row
 * by row.
 * Within a patch: 'chw' = (channel, row, column), the order of a patch-embedding convolution's weight;
 * 'hwc' = (row, column, channel), the order of reconstruction targets.
 *
 * @throws ShapeError if the images are not square or S does not divide by the patch size.
 */
export function patchify(
  images: Tensor,
  patchSize: number,
  order: PatchOrder,
  dtype: StoredType = 'f32',
): Tensor {
  const [batch, channels, imageSize, columns] = images.shape
  if (images.shape.length !== 4 || imageSize !== columns) {
    throw new ShapeError('patchify', `${described('images', images)}, expected [batch, channels, S, S]`)
  }
  requireElements('patchify', 'images', images)
  if (!(Number.isInteger(patchSize) && patchSize > 0) || imageSize % patchSize !== 0) {
    throw new ShapeError(
      'patchify',
      `${described('images', images)}, which does not divide into patches of ${patchSize}`,
    )
  }
  const geometry = { batch: batch, channels: channels, imageSize: imageSize, patchSize }
  const { runtime } = images
  const patches = runtime.empty(patchesShape(geometry), dtype)
  runtime.dispatch(patchifyKernel(runtime.caps, geometry, order, dtype), [images, patches])
  return recordOp('patchify', patches, [images], (dPatches) => {
    const dImages = gradientTarget(images)
    runtime.dispatch(unpatchifyKernel(runtime.caps, geometry, order, dtype), [dPatches, dImages])
    return [dImages]
  })
}

/**
 * Puts patches back together, the inverse of `patchify`. patches: [B, L, p·p·C], L a square number → f32
 * [B, C, S, S].
 *
 * @throws ShapeError if L is not a square number or the width is not a multiple of p·p.
 */
export function unpatchify(patches: Tensor, patchSize: number, order: PatchOrder): Tensor {
  const [batch, L, width] = batchTokensWidth('unpatchify', 'patches', patches)
  const grid = Math.round(Math.sqrt(L))
  const channels = width / (patchSize * patchSize)
  if (grid * grid !== L || !Number.isInteger(channels)) {
    const wants = `expected [batch, a square number, a multiple of ${patchSize}·${patchSize}]`
    throw new ShapeError('unpatchify', `${described('patches', patches)}, ${wants}`)
  }
  const imageSize = grid * patchSize
  const geometry = { batch, channels, imageSize, patchSize }
  const { runtime } = patches
  const images = runtime.empty([batch, channels, imageSize, imageSize])
  runtime.dispatch(unpatchifyKernel(runtime.caps, geometry, order, patches.stored), [patches, images])
  return recordOp('unpatchify', images, [patches], (dImages) => {
    const dPatches = gradientTarget(patches)
    runtime.dispatch(patchifyKernel(runtime.caps, geometry, order, patches.stored), [dImages, dPatches])
    return [dPatches]
  })
}

function patchesShape({ batch, channels, imageSize, patchSize }: PatchGeometry): number[] {
  return [batch, (imageSize / patchSize) ** 2, patchSize * patchSize * channels]
}

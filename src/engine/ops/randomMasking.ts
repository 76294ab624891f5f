import { maskingKernel } from '../../../kernels/masking.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { argsortRows } from './argsortRows.js'

export interface Masking {
  /** Patches that stay, in noise order: u32 [B, kept]. */
  readonly kept: Tensor
  /**
   * Where in [class token, kept patches, removed patches] each token of the whole sequence stands: u32 [B, 1
   * + L].
   */
  readonly restore: Tensor
  /** 1 where removed, f32 [B, L], in patch order. */
  readonly mask: Tensor
}

/**
 * Per-sample masking by noise [B, L]: the `kept` patches of least noise stay. He et al. 2022, section 3. No
 * gradient.
 */
export function randomMasking(noise: Tensor, kept: number): Masking {
  const [rows, length] = noise.shape
  if (noise.shape.length !== 2 || kept < 1 || kept > length) {
    throw new ShapeError(
      'randomMasking',
      `noise must be [B, L] with L ≥ ${kept} kept patches, got [${noise.shape}]`,
    )
  }
  const { runtime } = noise
  const { rank } = argsortRows(noise)
  const keptIndices = runtime.empty([rows, kept], 'u32')
  const restore = runtime.empty([rows, length + 1], 'u32')
  const mask = runtime.empty([rows, length])
  runtime.dispatch(maskingKernel(runtime.caps, rows, length, kept), [rank, keptIndices, restore, mask])
  return { kept: keptIndices, restore, mask }
}

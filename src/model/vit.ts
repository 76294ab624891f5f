import type { StoredType } from '../../kernels/stored.js'
import { addPosition } from '../engine/ops/addPosition.js'
import { linear } from '../engine/ops/linear.js'
import { patchify } from '../engine/ops/patchify.js'
import { reshape } from '../engine/ops/reshape.js'
import type { Initialisation, ParameterArena, ParameterSpec } from '../engine/parameters.js'
import type { Tensor } from '../engine/tensor.js'
import { blockParameters } from './block.js'
import { CHANNELS, patchCount, patchValues, type VitConfig } from './config.js'
import { type InitStyle, xavierUniform } from './initialisation.js'
import { sinCosPositions } from './positionEmbedding.js'

/** A fixed sin-cos table as a frozen parameter (pretraining). */
export function frozenPositions(name: string, width: number, config: VitConfig): ParameterSpec {
  const grid = config.imageSize / config.patchSize
  const values = sinCosPositions(width, grid)
  return { name, shape: [1, 1 + grid * grid, width], init: { kind: 'values', values }, frozen: true }
}

/**
 * Patch embedding as a convolution of stride = patch size. In pretraining its weight is Xavier-uniform over [D, C·p·p] and the bias
 * keeps the convolution's default ±1/√(C·p·p); before fine-tuning both have that default.
 */
export function patchEmbedParameters(config: VitConfig, style: InitStyle): ParameterSpec[] {
  const { width, patchSize } = config
  const fanIn = patchValues(config)
  const convolutionDefault: Initialisation = { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) }
  return [
    {
      name: 'patch_embed.proj.weight',
      shape: [width, CHANNELS, patchSize, patchSize],
      init: style === 'pretraining' ? xavierUniform(width, fanIn) : convolutionDefault,
    },
    { name: 'patch_embed.proj.bias', shape: [width], init: convolutionDefault },
  ]
}

export function encoderBlockParameters(config: VitConfig, style: InitStyle): ParameterSpec[] {
  return Array.from({ length: config.depth }, (_, i) => blockParameters(`blocks.${i}`, config, style)).flat()
}

/** cls token and a trainable position table, as the fine-tuned model has them. */
export function trainableTokenParameters(config: VitConfig): ParameterSpec[] {
  const init: Initialisation = { kind: 'truncatedNormal', std: 0.02 }
  return [
    { name: 'cls_token', shape: [1, 1, config.width], init },
    { name: 'pos_embed', shape: [1, 1 + patchCount(config), config.width], init },
  ]
}

/** The patches of pictures as the embedding wants them. images: f32 [B, 3, S, S] → `dtype` [B, L, 3·p·p]. */
export function inputPatches(images: Tensor, { patchSize }: VitConfig, dtype: StoredType): Tensor {
  return patchify(images, patchSize, 'chw', dtype)
}

/** Linear embedding, without positions. patches: [B, M, 3·p·p] → [B, M, D]. */
export function embedPatches(patches: Tensor, parameters: ParameterArena, config: VitConfig): Tensor {
  const weight = reshape(parameters.get('patch_embed.proj.weight'), [config.width, patchValues(config)])
  return linear(patches, weight, parameters.get('patch_embed.proj.bias'))
}

/** The cls token with row 0 of the position table. → f32 [1, 1, D]. */
export function clsToken(parameters: ParameterArena): Tensor {
  return addPosition(parameters.get('cls_token'), parameters.get('pos_embed'), 0)
}

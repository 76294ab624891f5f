import { ShapeError } from '../engine/errors.js'
import { addPosition } from '../engine/ops/addPosition.js'
import { addPositionAt } from '../engine/ops/addPositionAt.js'
import { described, requireElements } from '../engine/ops/checks.js'
import { concatTokens } from '../engine/ops/concatTokens.js'
import { gatherRows } from '../engine/ops/gatherRows.js'
import { linear } from '../engine/ops/linear.js'
import { patchify } from '../engine/ops/patchify.js'
import { reshape } from '../engine/ops/reshape.js'
import type { Initialisation, ParameterArena, ParameterSpec } from '../engine/parameters.js'
import type { DropPath } from '../engine/randomState.js'
import type { Tensor } from '../engine/tensor.js'
import { blockFor, blockParameters } from './block.js'
import { CHANNELS, checkVitConfig, patchCount, patchValues, type VitConfig } from './config.js'
import { activationType, type Execution } from './execution.js'
import { type InitStyle, xavierUniform } from './initialisation.js'
import { sinCosPositions } from './positionEmbedding.js'

/** A fixed sin-cos table as a frozen parameter (pretraining). */
export function frozenPositions(name: string, width: number, config: VitConfig): ParameterSpec {
  const grid = config.imageSize / config.patchSize
  const values = sinCosPositions(width, grid)
  return { name, shape: [1, 1 + grid * grid, width], init: { kind: 'values', values }, frozen: true }
}

/**
 * Patch embedding: a convolution whose stride is the patch size. In pretraining, its weight is Xavier-uniform over
 * [D, C·p·p] and its bias has the convolution's default ±1/√(C·p·p). In fine-tuning, both have that default.
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

/** What a classifier takes from a pretrained model, in state-dict order. */
export function encoderParameters(config: VitConfig): ParameterSpec[] {
  checkVitConfig(config)
  return [
    ...trainableTokenParameters(config),
    ...patchEmbedParameters(config, 'pretraining'),
    ...encoderBlockParameters(config, 'pretraining'),
  ]
}

/** Linear embedding, without positions. patches: [B, M, 3·p·p] → [B, M, D]. */
function embedPatches(patches: Tensor, parameters: ParameterArena, config: VitConfig): Tensor {
  const weight = reshape(parameters.get('patch_embed.proj.weight'), [config.width, patchValues(config)])
  return linear(patches, weight, parameters.get('patch_embed.proj.bias'))
}

/** @throws ShapeError that names `model`, unless `images` are f32 [B, 3, S, S] of the model's size S. */
export function requireImages(model: string, images: Tensor, { imageSize }: VitConfig): void {
  requireElements(model, 'images', images)
  const wanted = [CHANNELS, imageSize, imageSize]
  const [, ...each] = images.shape
  if (images.dtype === 'f32' && each.join() === wanted.join()) return
  throw new ShapeError(model, `${described('images', images)}, expected [batch, ${wanted.join(', ')}]`)
}

/** A model that contains a ViT. */
export interface Encoder {
  readonly parameters: ParameterArena
  readonly config: VitConfig
  readonly execution: Execution
}

export interface EncodeOptions {
  /** Encode only these patches, u32 [B, M]: a quarter of the work at mask ratio 0.75. Their positions get no gradient. */
  readonly kept?: Tensor
  /** Only in training. */
  readonly dropPath?: DropPath | null
  /** Number of blocks to run (default: all). */
  readonly blocks?: number
}

/**
 * Images [B, 3, S, S] through the encoder, up to its last block: cls token and patches [B, 1 + L, D], or [B,
 * 1 + M, D] if M are kept.
 */
export function encode(
  images: Tensor,
  { parameters, config, execution }: Encoder,
  { kept, dropPath, blocks = config.depth }: EncodeOptions = {},
): Tensor {
  if (dropPath && dropPath.scales.length !== 2 * config.depth)
    throw new ShapeError(
      'dropPath',
      `${dropPath.scales.length} branches; ${config.depth} blocks have ${2 * config.depth}`,
    )
  const positions = parameters.get('pos_embed')
  const dtype = activationType(images.runtime, execution)
  const patches = patchify(images, config.patchSize, 'chw', dtype)
  const tokens = kept
    ? addPositionAt(embedPatches(gatherRows(patches, kept), parameters, config), positions, kept, 1)
    : addPosition(embedPatches(patches, parameters, config), positions, 1)
  let x = concatTokens(addPosition(parameters.get('cls_token'), positions, 0), tokens)
  const block = blockFor(execution)
  for (let i = 0; i < blocks; i++) {
    const scales = dropPath ? { attention: dropPath.scales[2 * i], mlp: dropPath.scales[2 * i + 1] } : null
    x = block(x, parameters, `blocks.${i}`, config, scales)
  }
  return x
}

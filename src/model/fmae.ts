import { addPosition } from '../engine/ops/addPosition.js'
import { requireSingle } from '../engine/ops/checks.js'
import { concatTokens } from '../engine/ops/concatTokens.js'
import { gatherRows } from '../engine/ops/gatherRows.js'
import { layerNorm } from '../engine/ops/layerNorm.js'
import { linear } from '../engine/ops/linear.js'
import { maskedPatchLoss } from '../engine/ops/maskedPatchLoss.js'
import { randomMasking } from '../engine/ops/randomMasking.js'
import { sliceTokens } from '../engine/ops/sliceTokens.js'
import { ParameterArena, type ParameterSpec } from '../engine/parameters.js'
import type { Runtime } from '../engine/runtime.js'
import type { Tensor } from '../engine/tensor.js'
import { type BlockConfig, blockFor, blockParameters } from './block.js'
import { checkFmaeConfig, type FmaeConfig, keptPatches, patchCount, patchValues } from './config.js'
import { type Execution, plainExecution } from './execution.js'
import { linearParameters, normParameters } from './initialisation.js'
import {
  encode,
  encoderBlockParameters,
  frozenPositions,
  patchEmbedParameters,
  requireImages,
} from './vit.js'

export interface FmaeOutput {
  /** Mean squared error over removed patches, [1]. */
  readonly loss: Tensor
  /**
   * Predicted patches, [B, L, p·p·3], in (row, column, channel) order; f16 in mixed precision. Overwritten by
   * backward.
   */
  readonly pred: Tensor
  /** 1 where removed, [B, L]. */
  readonly mask: Tensor
}

function decoderConfig(config: FmaeConfig): BlockConfig {
  const { decoderWidth, decoderHeads, mlpRatio, layerNormEps } = config
  return { width: decoderWidth, heads: decoderHeads, mlpRatio, layerNormEps }
}

/** All parameters in state-dict order, with MAE's initialization. */
export function fmaeParameters(config: FmaeConfig): ParameterSpec[] {
  checkFmaeConfig(config)
  const { width, decoderWidth } = config
  return [
    { name: 'cls_token', shape: [1, 1, width], init: { kind: 'normal', std: 0.02 } },
    frozenPositions('pos_embed', width, config),
    { name: 'mask_token', shape: [1, 1, decoderWidth], init: { kind: 'normal', std: 0.02 } },
    frozenPositions('decoder_pos_embed', decoderWidth, config),
    ...patchEmbedParameters(config, 'pretraining'),
    ...encoderBlockParameters(config, 'pretraining'),
    ...normParameters('norm', width),
    ...linearParameters('decoder_embed', decoderWidth, width, 'pretraining'),
    ...Array.from({ length: config.decoderDepth }, (_, i) =>
      blockParameters(`decoder_blocks.${i}`, decoderConfig(config), 'pretraining'),
    ).flat(),
    ...normParameters('decoder_norm', decoderWidth),
    ...linearParameters('decoder_pred', patchValues(config), decoderWidth, 'pretraining'),
  ]
}

/** Masked autoencoder of faces (FMAE; He et al. 2022 with Ning et al. 2024's sizes). */
export class Fmae {
  readonly parameters: ParameterArena

  constructor(
    runtime: Runtime,
    readonly config: FmaeConfig,
    seed: number,
    readonly execution: Execution = plainExecution,
  ) {
    const specs = fmaeParameters(config)
    this.parameters = new ParameterArena(runtime, specs)
    this.parameters.initialise(specs, seed)
  }

  /**
   * images [B, 3, S, S], noise [B, L] that decides which patches are removed.
   *
   * @throws ShapeError if the image size is not that of the model, or noise has another shape.
   */
  forward(images: Tensor, noise: Tensor): FmaeOutput {
    requireImages('Fmae', images, this.config)
    requireSingle('Fmae', 'noise', noise, [images.shape[0], patchCount(this.config)])
    const { mask, kept, restore } = randomMasking(noise, keptPatches(this.config))
    const pred = this.#decode(this.#encode(images, kept), restore)
    return { loss: maskedPatchLoss(pred, images, mask, this.config.normPix), pred, mask }
  }

  /** The kept patches and the cls token through the encoder: [B, 1 + kept, D]. */
  #encode(images: Tensor, kept: Tensor): Tensor {
    const p = this.parameters
    const x = encode(images, this, { kept })
    return layerNorm(x, p.get('norm.weight'), p.get('norm.bias'), this.config.layerNormEps)
  }

  /** Inserts mask tokens, restores patch order, runs the decoder and predicts: [B, L, p·p·3]. */
  #decode(latent: Tensor, restore: Tensor): Tensor {
    const p = this.parameters
    const { config } = this
    const removed = patchCount(config) - keptPatches(config)
    const embedded = linear(latent, p.get('decoder_embed.weight'), p.get('decoder_embed.bias'))
    const shuffled = concatTokens(embedded, p.get('mask_token'), removed)
    let x = addPosition(gatherRows(shuffled, restore), p.get('decoder_pos_embed'), 0)
    const block = blockFor(this.execution)
    for (let i = 0; i < config.decoderDepth; i++)
      x = block(x, p, `decoder_blocks.${i}`, decoderConfig(config), null)
    const patches = sliceTokens(x, 1, patchCount(config))
    const norm = layerNorm(
      patches,
      p.get('decoder_norm.weight'),
      p.get('decoder_norm.bias'),
      config.layerNormEps,
    )
    return linear(norm, p.get('decoder_pred.weight'), p.get('decoder_pred.bias'))
  }
}

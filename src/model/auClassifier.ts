import { layerNorm } from '../engine/ops/layerNorm.js'
import { linear } from '../engine/ops/linear.js'
import { meanTokens } from '../engine/ops/meanTokens.js'
import { allocatePersistent, ParameterArena, type ParameterSpec } from '../engine/parameters.js'
import type { DropPath } from '../engine/randomState.js'
import type { Runtime } from '../engine/runtime.js'
import type { Tensor } from '../engine/tensor.js'
import { type ClassifierConfig, checkClassifierConfig } from './config.js'
import { type Execution, plainExecution } from './execution.js'
import { identityHead, identityHeadParameters } from './identityHead.js'
import { defaultLinearParameters, normParameters } from './initialisation.js'
import {
  encode,
  encoderBlockParameters,
  patchEmbedParameters,
  requireImages,
  trainableTokenParameters,
} from './vit.js'

export interface ClassifierOutput {
  /** Features after `fc_norm`, [B, D]: the input of the heads, the probe and the feature map. */
  readonly features: Tensor
  /** [B, aus]. */
  readonly auLogits: Tensor
  /** [B, subjects]; null where λ = 0. */
  readonly idLogits: Tensor | null
}

/** All parameters in state-dict order. λ = 0 has no identity head. */
export function classifierParameters(config: ClassifierConfig): ParameterSpec[] {
  checkClassifierConfig(config)
  return [
    ...trainableTokenParameters(config),
    ...patchEmbedParameters(config, 'finetuning'),
    ...encoderBlockParameters(config, 'finetuning'),
    ...defaultLinearParameters('head', config.aus, config.width),
    ...normParameters('fc_norm', config.width),
    ...(config.lambda > 0 ? identityHeadParameters(config) : []),
  ]
}

/**
 * Drop-path rate of every branch: two per block, linear from 0 in the first block to the full rate in the
 * last.
 */
export function dropPathRates({ depth, dropPath }: ClassifierConfig): number[] {
  return Array.from({ length: depth }, (_, i) => (depth === 1 ? 0 : (dropPath * i) / (depth - 1))).flatMap(
    (rate) => [rate, rate],
  )
}

/** ViT → mean of the patch tokens → `fc_norm` → linear AU head, and the identity head of IAT where λ > 0. */
export class AuClassifier {
  readonly parameters: ParameterArena
  /** Strength of the gradient reversal, [1]; null without an identity head. */
  readonly #lambda: Tensor | null

  constructor(
    runtime: Runtime,
    readonly config: ClassifierConfig,
    seed: number,
    readonly execution: Execution = plainExecution,
  ) {
    const specs = classifierParameters(config)
    this.parameters = new ParameterArena(runtime, specs)
    this.parameters.initialise(specs, seed)
    this.#lambda = config.lambda > 0 ? allocatePersistent(runtime, [[1]]).parts[0] : null
    if (this.#lambda) this.setLambda(config.lambda)
  }

  /**
   * Sets the strength of the gradient reversal, also for captured steps. It starts as `config.lambda`.
   *
   * @throws RangeError if λ is negative or not finite, or the model has no identity head.
   */
  setLambda(lambda: number): void {
    if (!this.#lambda) throw new RangeError('setLambda: a model with lambda 0 has no identity head')
    if (!(lambda >= 0 && Number.isFinite(lambda)))
      throw new RangeError(`setLambda: lambda must be finite and at least 0, got ${lambda}`)
    this.parameters.runtime.write(this.#lambda, [lambda])
  }

  /**
   * images [B, 3, S, S]; `dropPath` only in training.
   *
   * @throws ShapeError if the image size is not that of the model.
   */
  forward(images: Tensor, dropPath: DropPath | null = null): ClassifierOutput {
    requireImages('AuClassifier', images, this.config)
    const p = this.parameters
    const features = this.#features(images, dropPath)
    return {
      features,
      auLogits: linear(features, p.get('head.weight'), p.get('head.bias')),
      idLogits: this.#lambda && identityHead(features, this.#lambda, p, this.config),
    }
  }

  #features(images: Tensor, dropPath: DropPath | null): Tensor {
    const p = this.parameters
    // The cls token passes through all blocks but is not pooled. The mean and everything after it are f32.
    const mean = meanTokens(encode(images, this, { dropPath }), 1)
    return layerNorm(mean, p.get('fc_norm.weight'), p.get('fc_norm.bias'), this.config.layerNormEps)
  }
}

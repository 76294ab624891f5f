import { backward, withTape } from '../engine/autograd.js'
import { bceWithLogits } from '../engine/ops/bceWithLogits.js'
import type { ParameterArena } from '../engine/parameters.js'
import type { Runtime } from '../engine/runtime.js'
import type { Tensor } from '../engine/tensor.js'
import { AuClassifier } from '../model/auClassifier.js'
import type { ClassifierConfig, FmaeConfig } from '../model/config.js'
import { Fmae } from '../model/fmae.js'
import { iatLoss, identityTargets, identityTargetType } from '../model/iatLoss.js'

/**
 * A model and one batch, set up so that each call of `step` is one forward and backward over the same
 * numbers.
 */
export interface ModelRun {
  readonly parameters: ParameterArena
  /**
   * Leaves gradients in the arena; returns the total loss and all outputs, by their names in golden files.
   */
  step(): { loss: Tensor; outputs: Map<string, Tensor> }
  /** The total loss alone, without a tape. */
  forward(): Tensor
}

export interface FmaeBatch {
  readonly imgs: Float32Array
  readonly noise: Float32Array
}

export function fmaeRun(
  runtime: Runtime,
  config: FmaeConfig,
  { imgs, noise }: FmaeBatch,
  seed = 0,
): ModelRun {
  const model = new Fmae(runtime, config, seed)
  const images = runtime.tensor(imgs, imageShape(imgs, config))
  const [batch] = images.shape
  const noises = runtime.tensor(noise, [batch, noise.length / batch])
  return {
    parameters: model.parameters,
    step() {
      const { result, tape } = withTape(runtime, () => model.forward(images, noises))
      const { loss, mask } = result
      const pred = runtime.empty(result.pred.shape)
      runtime.copy(result.pred, pred)
      backward(loss, tape, [loss, mask])
      return { loss, outputs: new Map(Object.entries({ loss, pred, mask })) }
    },
    forward: () => model.forward(images, noises).loss,
  }
}

export interface ClassifierBatch {
  readonly imgs: Float32Array
  readonly au: Float32Array
  /** Subject of every sample; ignored where λ = 0. */
  readonly ids: Uint32Array
}

export function classifierRun(runtime: Runtime, config: ClassifierConfig, data: ClassifierBatch): ModelRun {
  const model = new AuClassifier(runtime, config, 0)
  const images = runtime.tensor(data.imgs, imageShape(data.imgs, config))
  const batch = images.shape[0]
  const targets = runtime.tensor(data.au, [batch, config.aus])
  const subjects = config.lambda > 0 ? identityTensor(runtime, config, data.ids) : null
  const forward = () => {
    const { auLogits, idLogits } = model.forward(images)
    const au = bceWithLogits(auLogits, targets)
    const { loss, id } = iatLoss(au, idLogits, subjects, config)
    const identity = idLogits && id ? { id_logits: idLogits, id_loss: id } : {}
    return { loss, outputs: { au_logits: auLogits, au_loss: au, ...identity } }
  }
  return {
    parameters: model.parameters,
    step() {
      const { result, tape } = withTape(runtime, forward)
      const { loss, outputs } = result
      backward(loss, tape, [loss, ...Object.values(outputs)])
      return { loss, outputs: new Map(Object.entries({ ...outputs, loss })) }
    },
    forward: () => forward().loss,
  }
}

function identityTensor(runtime: Runtime, config: ClassifierConfig, ids: Uint32Array): Tensor {
  const { shape, dtype } = identityTargetType(config, ids.length)
  return runtime.tensor(identityTargets(ids, config), shape, dtype)
}

function imageShape(imgs: Float32Array, { imageSize }: { imageSize: number }): number[] {
  return [imgs.length / (3 * imageSize * imageSize), 3, imageSize, imageSize]
}

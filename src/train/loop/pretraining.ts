import { type Batch, BatchSource } from '../../data/batches.js'
import type { ImageLoader } from '../../data/imageLoader.js'
import { streams } from '../../data/streams.js'
import { backward, withTape } from '../../engine/autograd.js'
import { allocatePersistent } from '../../engine/parameters.js'
import { RandomState } from '../../engine/randomState.js'
import type { Runtime } from '../../engine/runtime.js'
import type { Tensor } from '../../engine/tensor.js'
import { CHANNELS, type FmaeConfig, patchCount } from '../../model/config.js'
import { Fmae } from '../../model/fmae.js'
import { AdamW } from '../optim/adamw.js'
import { pretrainingRules } from '../optim/parameterGroups.js'
import { type Schedule, scaledLearningRate } from '../optim/schedule.js'
import type { PretrainSettings } from '../settings.js'
import type { RunSettings, TrainingRun } from '../trainingRun.js'

type Settings = RunSettings & Pick<PretrainSettings, 'flip' | 'shift'>

/** FMAE pretraining: model, data order, masks, optimizer and schedule, ready for `trainLoop`. */
export class Pretraining implements TrainingRun {
  readonly kind = 'fmae'
  readonly model: Fmae
  readonly optimizer: AdamW
  readonly batches: BatchSource
  readonly random: RandomState
  readonly schedule: Schedule
  readonly lossNames = ['loss']
  readonly #images: Tensor

  constructor(
    readonly runtime: Runtime,
    config: FmaeConfig,
    readonly settings: Settings,
    loader: ImageLoader,
    indices: ArrayLike<number>,
  ) {
    const { seed, batchSize, flip, shift } = settings
    this.model = new Fmae(runtime, config, seed, settings)
    const { parameters } = this.model
    const { weightDecay, beta1, beta2, clipGradient, precision } = settings
    const rules = pretrainingRules(parameters.parameters, weightDecay)
    this.optimizer = new AdamW(runtime, parameters, rules, {
      beta1,
      beta2,
      epsilon: 1e-8,
      maxNorm: clipGradient,
      precision,
    })
    this.batches = new BatchSource({ loader, indices, batchSize, seed, augmentation: { flip, shift } })
    this.random = new RandomState(runtime, seed, streams.masks)
    this.schedule = scheduleOf(settings)
    this.#images = inputImages(runtime, batchSize, config.imageSize)
  }

  get parameters() {
    return this.model.parameters
  }

  upload = ({ images }: Batch): void => this.runtime.write(this.#images, images)

  microBatch = (): readonly Tensor[] => {
    const { runtime, model, optimizer } = this
    const noise = this.random.uniform([this.settings.batchSize, patchCount(model.config)])
    const { result, tape } = withTape(runtime, () => model.forward(this.#images, noise))
    backward(result.loss, tape, [], optimizer.lossScale?.scale)
    return [result.loss]
  }
}

export function scheduleOf(settings: RunSettings): Schedule {
  const { baseLearningRate, batchSize, accumulation, warmupEpochs, epochs, minimumLearningRate } = settings
  const learningRate = scaledLearningRate(baseLearningRate, batchSize, accumulation)
  return { learningRate, warmupEpochs, epochs, minimum: minimumLearningRate }
}

/** The input buffer that every batch of a run is written to. */
export function inputImages(runtime: Runtime, batchSize: number, size: number): Tensor {
  return allocatePersistent(runtime, [[batchSize, CHANNELS, size, size]]).parts[0]
}

import { type Batch, BatchSource } from '../../data/batches.js'
import type { ImageLoader } from '../../data/imageLoader.js'
import { streams } from '../../data/streams.js'
import { backward, withTape } from '../../engine/autograd.js'
import { bceWithLogits } from '../../engine/ops/bceWithLogits.js'
import { allocatePersistent } from '../../engine/parameters.js'
import { PhiloxStream } from '../../engine/random.js'
import { DropPath, RandomState } from '../../engine/randomState.js'
import type { Runtime } from '../../engine/runtime.js'
import type { Tensor } from '../../engine/tensor.js'
import { AuClassifier, dropPathRates } from '../../model/auClassifier.js'
import type { ClassifierConfig } from '../../model/config.js'
import { iatLoss, identityTargets, identityTargetType } from '../../model/iatLoss.js'
import { AdamW } from '../optim/adamw.js'
import { fineTuningRules } from '../optim/parameterGroups.js'
import type { Schedule } from '../optim/schedule.js'
import type { FineTuneSettings } from '../settings.js'
import type { RunSettings, TrainingRun } from '../trainingRun.js'
import { inputImages, scheduleOf } from './pretraining.js'

type Settings = RunSettings &
  Pick<FineTuneSettings, 'flip' | 'shift' | 'layerDecay' | 'idHeadInit' | 'idHeadLearningRateScale'>

/** Fine-tuning for AUs, with IAT where λ > 0; ready for `trainLoop`. */
export class FineTuning implements TrainingRun {
  readonly kind = 'iat'
  readonly model: AuClassifier
  readonly optimizer: AdamW
  readonly batches: BatchSource
  readonly random: RandomState
  readonly schedule: Schedule
  readonly lossNames: readonly string[]
  readonly #images: Tensor
  readonly #targets: Tensor
  /** null where λ = 0. */
  readonly #identity: Tensor | null
  readonly #dropPath: DropPath | null

  constructor(
    readonly runtime: Runtime,
    readonly config: ClassifierConfig,
    readonly settings: Settings,
    loader: ImageLoader,
    indices: ArrayLike<number>,
    aus: readonly number[],
    subjects: readonly string[],
  ) {
    const { seed, batchSize, flip, shift } = settings
    this.model = new AuClassifier(runtime, config, seed, settings)
    this.optimizer = this.#makeOptimizer()
    const augmentation = { flip, shift }
    const identities = config.lambda > 0 ? { subjects } : {}
    this.batches = new BatchSource({ loader, indices, batchSize, seed, augmentation, aus, ...identities })
    this.random = new RandomState(runtime, seed, streams.dropPath)
    this.schedule = scheduleOf(settings)
    this.lossNames = config.lambda > 0 ? ['loss', 'au', 'id'] : ['loss']
    this.#images = inputImages(runtime, batchSize, config.imageSize)
    this.#targets = allocatePersistent(runtime, [[batchSize, config.aus]]).parts[0]
    this.#identity = identityInput(runtime, config, batchSize)
    this.#dropPath = config.dropPath > 0 ? new DropPath(runtime, dropPathRates(config), batchSize) : null
    if (config.lambda > 0 && settings.idHeadInit === 'baseRate') this.#initialiseIdentityBias()
  }

  get parameters() {
    return this.model.parameters
  }

  /** Reinitializes the AU head's weight near zero (std 2e-5), for use after loading a pretrained encoder; keeps its bias. */
  resetAuHead(): void {
    const weight = this.parameters.get('head.weight')
    const stream = new PhiloxStream(this.settings.seed, streams.auHead)
    this.runtime.write(
      weight,
      Float32Array.from({ length: weight.size }, () => 2e-5 * stream.normal()),
    )
  }

  upload = ({ images, aus, subjects }: Batch): void => {
    const { runtime, config } = this
    runtime.write(this.#images, images)
    runtime.write(this.#targets, aus)
    if (this.#identity) runtime.write(this.#identity, identityTargets(subjects, config))
  }

  microBatch = (): readonly Tensor[] => {
    const { runtime, model, config, optimizer } = this
    this.#dropPath?.draw(this.random)
    const { result: losses, tape } = withTape(runtime, () => {
      const { auLogits, idLogits } = model.forward(this.#images, this.#dropPath)
      const au = bceWithLogits(auLogits, this.#targets)
      const { loss, id } = iatLoss(au, idLogits, this.#identity, config)
      return id ? [loss, au, id] : [loss]
    })
    backward(losses[0], tape, losses, optimizer.lossScale?.scale)
    return losses
  }

  #makeOptimizer(): AdamW {
    const { weightDecay, layerDecay, idHeadLearningRateScale } = this.settings
    const { beta1, beta2, clipGradient, precision } = this.settings
    const rules = fineTuningRules(this.parameters.parameters, {
      depth: this.config.depth,
      layerDecay,
      weightDecay,
      identityHeadScale: idHeadLearningRateScale,
    })
    const options = { beta1, beta2, epsilon: 1e-8, maxNorm: clipGradient, precision }
    return new AdamW(this.runtime, this.parameters, rules, options)
  }

  /**
   * Starts the last identity layer at the base rate: bias −ln(S−1), the logit of 1/S, and weights a hundredth of the
   * default. With PyTorch's default, the BCE starts at 0.7 and its reversed gradient swamps the AUs.
   */
  #initialiseIdentityBias(): void {
    const { idHeadLayers, subjects, width } = this.config
    const name = idHeadLayers === 1 ? 'ID_head' : `ID_head${idHeadLayers}`
    const inputs = width / 2 ** (idHeadLayers - 1)
    const bias = this.parameters.get(`${name}.bias`)
    const weight = this.parameters.get(`${name}.weight`)
    const level = this.config.idLoss === 'bce' ? -Math.log(subjects - 1) : 0
    const stream = new PhiloxStream(this.settings.seed, streams.identityHead)
    const bound = 0.01 / Math.sqrt(inputs)
    this.runtime.write(bias, new Float32Array(subjects).fill(level))
    this.runtime.write(
      weight,
      Float32Array.from({ length: weight.size }, () => (2 * stream.uniform() - 1) * bound),
    )
  }
}

function identityInput(runtime: Runtime, config: ClassifierConfig, batchSize: number): Tensor | null {
  if (config.lambda === 0) return null
  const { shape, dtype } = identityTargetType(config, batchSize)
  return allocatePersistent(runtime, [shape], dtype).parts[0]
}

import { proxyMarker } from 'comlink'
import { type Standardisation, standardise } from '../../src/data/standardise.js'
import type { Runtime } from '../../src/engine/runtime.js'
import { UserError } from '../../src/errors.js'
import { attentionMap } from '../../src/model/attentionMap.js'
import { AuClassifier } from '../../src/model/auClassifier.js'
import { CHANNELS } from '../../src/model/config.js'
import type { Fmae } from '../../src/model/fmae.js'
import { type ReadInfo, readInfo } from '../../src/train/checkpoint/checkpoint.js'
import { ownClassifier } from '../../src/train/checkpoint/loadModel.js'
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsFile,
} from '../../src/train/checkpoint/safetensors.js'
import { sigmoid } from '../../src/train/metrics/actionUnitMetrics.js'
import type { TrainingRun } from '../../src/train/trainingRun.js'
import { oneAfterOther } from '../oneAfterOther.js'
import type { RunName } from '../protocol.js'
import type { ModelSource } from './training.js'

/** A run of the page, or the model of a file that was dropped. */
export type ModelId = RunName | 'dropped'

/** What the page shows of a model that images can be given to. */
export interface ModelSummary {
  readonly id: ModelId
  /** Side of its input in pixels. */
  readonly imageSize: number
  /** AU numbers of its outputs; none for a masked autoencoder, which only has an encoder. */
  readonly aus: readonly number[]
  readonly step: number
  /** Strength of the gradient reversal it is trained with; 0 for none. */
  readonly lambda: number
  /** Name of the file, of a dropped model. */
  readonly file: string | null
}

/** What a model makes of one image. */
export interface Look {
  /** Probability of each AU of the summary. */
  readonly probabilities: Float32Array
  /** Attention of the pooled tokens over the patches, row by row; adds up to 1. */
  readonly attention: Float32Array
}

/** Where a file's model is to be found, or the step of the run that it would replace. */
export type Opened = { readonly model: ModelId } | { readonly model: null; readonly wouldReplaceStep: number }

interface LoadedModel {
  readonly model: AuClassifier | Fmae
  readonly standardise: Standardisation
  readonly summary: ModelSummary
}

interface Dropped extends LoadedModel {
  readonly model: AuClassifier
  readonly file: SafetensorsFile
  readonly release: () => void
}

type FmaeInfo = Extract<ReadInfo, { kind: 'fmae' }>

interface Hooks {
  /** The page's runs, in the order in which they are offered. */
  readonly sources: () => ReadonlyMap<RunName, ModelSource>
  /** Goes on pretraining from somebody's masked autoencoder. `name`: of the file. */
  readonly takePretrained: (file: SafetensorsFile, info: FmaeInfo, name: string) => Promise<void>
}

const GONE = 'This model no longer exists. Choose another one.'

/** Gives images to the page's models, and takes and gives model files. */
export class TryIt {
  /** The page calls it where it is. */
  readonly [proxyMarker] = true
  /** What reads or replaces the dropped model. */
  readonly #inTurn = oneAfterOther()
  #dropped: Dropped | null = null

  constructor(
    readonly runtime: Runtime,
    readonly hooks: Hooks,
  ) {}

  models(): ModelSummary[] {
    const ids: ModelId[] = ['dropped', ...this.hooks.sources().keys()]
    return ids.flatMap((id) => this.#find(id)?.summary ?? [])
  }

  /**
   * AUs of one face, and where the encoder looks. rgb: side·side·3 bytes, side that of the model's input.
   * @throws UserError if the model is gone
   */
  async look(id: ModelId, rgb: Uint8Array): Promise<Look> {
    const loaded = this.#find(id)
    if (!loaded) throw new UserError(GONE)
    const { model, standardise: kind } = loaded
    const { imageSize } = model.config
    const { runtime } = this
    const images = runtime.tensor(standardise(rgb, imageSize, kind), [1, CHANNELS, imageSize, imageSize])
    try {
      const logits = model instanceof AuClassifier ? readAuLogits(model, images) : new Float32Array(0)
      const attention = attentionMap(model, images)
      const probabilities = (await logits).map(sigmoid)
      return { probabilities, attention: await attention }
    } finally {
      images.dispose()
    }
  }

  /**
   * Takes a checkpoint of the command line: an AU classifier to look through, a masked autoencoder as the run
   * of the Pretrain tab. If that has a run already, it is only replaced with `replace`.
   * @throws UserError that says what is wrong with the file
   */
  async open(file: File, replace: boolean): Promise<Opened> {
    const tensors = decodeSafetensors(new Uint8Array(await file.arrayBuffer()), file.name)
    const info = readInfo(tensors, file.name)
    if (info.kind === 'iat') {
      await this.#inTurn(async () => this.#drop(tensors, info, file.name))
      return { model: 'dropped' }
    }
    const { run } = this.hooks.sources().get('pretrain')!
    if (run && !replace) return { model: null, wouldReplaceStep: run.optimizer.stepCount }
    await this.hooks.takePretrained(tensors, info, file.name)
    return { model: 'pretrain' }
  }

  /** A model as a file that the command line reads. @throws UserError if the model is gone */
  async download(id: ModelId): Promise<Uint8Array[]> {
    const source = id === 'dropped' ? null : this.hooks.sources().get(id)
    if (source?.run) return source.download()
    if (id === 'dropped' && this.#dropped) return this.#inTurn(() => this.#downloadDropped())
    throw new UserError(GONE)
  }

  /** The dropped file again: weights from the device, all else as it came. */
  async #downloadDropped(): Promise<Uint8Array[]> {
    const { model, file } = this.#dropped!
    const tensors = new Map(file.tensors)
    for (const parameter of model.parameters.parameters) {
      tensors.set(parameter.name, { shape: parameter.shape, data: await parameter.read() })
    }
    return [...encodeSafetensors(tensors, file.metadata)]
  }

  #drop(file: SafetensorsFile, info: Extract<ReadInfo, { kind: 'iat' }>, name: string): void {
    const { runtime } = this
    const { made: model, release } = ownClassifier(runtime, info.config, file, name)
    this.#dropped?.release()
    const { imageSize, lambda } = info.config
    const step = Number(file.metadata.step ?? 0)
    const summary: ModelSummary = { id: 'dropped', imageSize, aus: info.aus, step, lambda, file: name }
    this.#dropped = { model, standardise: info.standardise, summary, file, release }
  }

  #find(id: ModelId): LoadedModel | null {
    return id === 'dropped' ? this.#dropped : modelOf(id, this.hooks.sources().get(id))
  }
}

function modelOf(id: RunName, source: ModelSource | undefined): LoadedModel | null {
  if (!source?.run || !source.info) return null
  const { run, info } = source
  const { model } = run as TrainingRun & { readonly model: AuClassifier | Fmae }
  const lambda = model instanceof AuClassifier ? model.config.lambda : 0
  const { imageSize } = model.config
  const step = run.optimizer.stepCount
  return {
    model,
    standardise: info.settings.standardise,
    summary: { id, imageSize, aus: info.aus ?? [], step, lambda, file: null },
  }
}

/** Queues the forward pass at once. */
function readAuLogits(
  model: AuClassifier,
  images: Parameters<AuClassifier['forward']>[0],
): Promise<Float32Array> {
  let reading: Promise<Float32Array> | undefined
  images.runtime.scope(() => {
    reading = model.forward(images).auLogits.read() as Promise<Float32Array>
    return undefined
  })
  return reading!
}

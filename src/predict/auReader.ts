import { type Standardisation, standardise } from '../data/standardise.js'
import type { Runtime } from '../engine/runtime.js'
import { UserError } from '../errors.js'
import type { Crop } from '../face/crop.js'
import type { AuClassifier } from '../model/auClassifier.js'
import { CHANNELS } from '../model/config.js'
import { largestClassifierActivation } from '../model/largestActivation.js'
import { type ClassifierInfo, readClassifierInfo } from '../train/checkpoint/checkpoint.js'
import { ownClassifier } from '../train/checkpoint/loadModel.js'
import type { SafetensorsFile } from '../train/checkpoint/safetensors.js'
import { mostImages } from '../train/loop/fitBatch.js'
import { sigmoid } from '../train/metrics/actionUnitMetrics.js'

/** What a classifier makes of one face. */
export interface Reading {
  /** Of each AU, in the order of `aus`. */
  readonly probabilities: Float32Array
  /** `fc_norm` output, [width]. */
  readonly features: Float32Array
}

/** Where an AU counts as present if the checkpoint does not say. */
const THRESHOLD = 0.5

/** A classifier and what its checkpoint says of its use. */
export class AuReader {
  /** AU numbers of the outputs. */
  readonly aus: readonly number[]
  /** How faces were cropped in training; null if the checkpoint does not say. */
  readonly crop: Crop | null
  /** Of each AU: from this probability on it is present. */
  readonly thresholds: readonly number[]
  /** Whether the checkpoint states the thresholds. */
  readonly ownThresholds: boolean
  readonly #standardise: Standardisation
  readonly #most: number

  constructor(
    readonly runtime: Runtime,
    readonly model: AuClassifier,
    info: ClassifierInfo,
    /** Gives the model's memory back. */
    readonly release: () => void,
  ) {
    this.aus = info.aus
    this.crop = info.crop ?? null
    this.ownThresholds = info.thresholds !== undefined
    this.thresholds = info.thresholds ?? info.aus.map(() => THRESHOLD)
    this.#standardise = info.standardise
    this.#most = mostImages(largestClassifierActivation(model.config), runtime)
  }

  /**
   * @param name of the file in messages
   * @throws UserError if it is no checkpoint of a classifier
   */
  static load(runtime: Runtime, file: SafetensorsFile, name: string): AuReader {
    const info = readClassifierInfo(file, name)
    const { made: model, release } = ownClassifier(runtime, info.config, file, name)
    return new AuReader(runtime, model, info, release)
  }

  /** Side of the input in pixels. */
  get imageSize(): number {
    return this.model.config.imageSize
  }

  /**
   * Queues the forward pass of all faces at once, and resolves when the device has done it.
   * @param crops RGB bytes of each face, imageSize·imageSize·3
   * @throws UserError if an output is not finite
   */
  async read(crops: readonly Uint8Array[]): Promise<Reading[]> {
    const parts: Promise<Reading[]>[] = []
    for (let at = 0; at < crops.length; at += this.#most)
      parts.push(this.#forward(crops.slice(at, at + this.#most)))
    return (await Promise.all(parts)).flat()
  }

  async #forward(crops: readonly Uint8Array[]): Promise<Reading[]> {
    const { imageSize, aus, width } = this.model.config
    const values = CHANNELS * imageSize ** 2
    const input = new Float32Array(crops.length * values)
    for (const [i, rgb] of crops.entries())
      input.set(standardise(rgb, imageSize, this.#standardise), i * values)
    let reads: Promise<ArrayLike<number>>[] = []
    this.runtime.scope(() => {
      const images = this.runtime.tensor(input, [crops.length, CHANNELS, imageSize, imageSize])
      const { auLogits, features } = this.model.forward(images)
      reads = [auLogits.read(), features.read()]
      return undefined
    })
    const [logits, features] = (await Promise.all(reads)).map((numbers) => Float32Array.from(numbers))
    if (![...logits].every(Number.isFinite))
      throw new UserError("the model's output is not a finite number; its weights are damaged or too large")
    return crops.map((_, i) => ({
      probabilities: logits.slice(i * aus, (i + 1) * aus).map(sigmoid),
      features: features.slice(i * width, (i + 1) * width),
    }))
  }
}

import { decodePixels } from '#decodePixels'
import { openFaceFinder } from '#faceModels'
import { readSource } from '#source'
import { imageDecoder } from '../data/imageDecoder.js'
import type { Source } from '../data/source.js'
import { openDevice } from '../engine/device.js'
import type { Runtime } from '../engine/runtime.js'
import { UserError } from '../errors.js'
import type { FacePoints } from '../face/align.js'
import type { Box } from '../face/box.js'
import { type Crop, crops } from '../face/crop.js'
import { cropFrame, cropped, type Face, type FaceFinder } from '../face/faceFinder.js'
import type { Pixels } from '../face/sample.js'
import { decodeSafetensors } from '../train/checkpoint/safetensors.js'
import { AuReader } from './auReader.js'

/** The action units of one face. */
export interface FaceUnits {
  /** The detected box, in pixels of the image; null where the whole image was read. */
  readonly box: Box | null
  /** Of the detection, from 0 to 1. */
  readonly confidence: number | null
  readonly points: FacePoints | null
  /** By AU number: from 0 to 1. */
  readonly probabilities: Readonly<Record<number, number>>
  /** Numbers of the AUs that are present, ascending. */
  readonly present: readonly number[]
}

export interface ClassifierOptions {
  /** How faces are cropped; default: as in training, if the checkpoint says. */
  readonly crop?: Crop
  /** A device that is open already; default: one of its own. */
  readonly runtime?: Runtime
  /** Pages: the folder with the face models, as in the demo; default: `faceModels/` beside the page. */
  readonly faceModels?: string | URL
}

/** Reads the action units of faces in images. The same results in Node and in a page. */
export class Classifier {
  constructor(
    readonly reader: AuReader,
    readonly crop: Crop,
    /** Null for crop `none`. */
    readonly finder: FaceFinder | null,
  ) {}

  /** AU numbers of the outputs. */
  get aus(): readonly number[] {
    return this.reader.aus
  }

  /**
   * The faces of an image, the largest first; with crop `none` the whole image as one.
   * @throws Error with the reason if it is no JPEG, PNG or WebP image
   */
  async predict(image: Source | Pixels): Promise<FaceUnits[]> {
    const { finder, reader, crop } = this
    if (!finder) return this.#units([await this.#whole(image)], [null])
    const pixels = isPixels(image) ? image : await decodePixels((await readSource(image)).bytes)
    const faces = finder.find(pixels)
    const crops = faces.map((face) => cropped(pixels, cropFrame(pixels, face, crop), reader.imageSize))
    return this.#units(crops, faces)
  }

  /** Gives the model's memory back. A device of its own is closed by `classifier.reader.runtime.close()`. */
  release(): void {
    this.reader.release()
  }

  async #whole(image: Source | Pixels): Promise<Uint8Array> {
    const { imageSize } = this.reader
    if (isPixels(image)) return cropped(image, cropFrame(image, null, 'none'), imageSize)
    return imageDecoder.decode((await readSource(image)).bytes, imageSize)
  }

  async #units(crops: readonly Uint8Array[], faces: readonly (Face | null)[]): Promise<FaceUnits[]> {
    const { aus, thresholds } = this.reader
    const readings = await this.reader.read(crops)
    return readings.map(({ probabilities }, i) => ({
      box: faces[i]?.box ?? null,
      confidence: faces[i]?.confidence ?? null,
      points: faces[i]?.points ?? null,
      probabilities: Object.fromEntries(aus.map((au, k) => [au, probabilities[k]])),
      present: aus.filter((_, k) => probabilities[k] >= thresholds[k]).sort((a, b) => a - b),
    }))
  }
}

function isPixels(image: Source | Pixels): image is Pixels {
  return typeof image === 'object' && 'channels' in image
}

/**
 * Loads a checkpoint of `finetune` or `convert`.
 * @throws UserError if it is no classifier, or does not say how its faces were cropped and `crop` is not given
 */
export async function loadClassifier(
  source: Source,
  { crop, runtime, faceModels = 'faceModels/' }: ClassifierOptions = {},
): Promise<Classifier> {
  const { name, bytes } = await readSource(source)
  const file = decodeSafetensors(bytes, name)
  const reader = AuReader.load(runtime ?? (await openDevice()), file, name)
  const chosen = crop ?? reader.crop
  if (!chosen)
    throw new UserError(
      `${name}: the checkpoint does not say how its training images were cropped; expected crop: ${crops.join(', ')}`,
    )
  return new Classifier(reader, chosen, chosen === 'none' ? null : await openFaceFinder(faceModels))
}

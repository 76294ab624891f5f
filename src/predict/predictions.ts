import type { Crop } from '../face/crop.js'
import { cropFrame, cropped, type Face, type FaceFinder } from '../face/faceFinder.js'
import type { AuReader } from './auReader.js'
import { FaceTracks } from './faceTracks.js'
import type { InputImage, Prediction, Result } from './prediction.js'

export interface PredictOptions {
  readonly reader: AuReader
  readonly crop: Crop
  /** Needed unless `crop` is `none`. */
  readonly finder: FaceFinder | null
  /** Faces a forward pass. */
  readonly batchSize: number
}

/** A prediction that waits for the device. */
interface Waiting extends Omit<Prediction, 'reading'> {
  /** RGB bytes for the classifier; null for an image without a face. */
  readonly rgb: Uint8Array | null
}

type WaitingResult =
  | { readonly input: string; readonly faces: readonly Waiting[] }
  | Exclude<Result, { faces: unknown }>

/** Batches that are on the device while the next faces are found. */
const UNDER_WAY = 2

/** Predicts image after image, in their order. Holds a few batches in memory, however many images there are. */
export async function* predictions(
  images: AsyncIterable<InputImage>,
  options: PredictOptions,
): AsyncGenerator<Result> {
  const { reader, batchSize } = options
  const underWay: Promise<Result[]>[] = []
  const tracks = new VideoTracks()
  let batch: WaitingResult[] = []
  let faces = 0
  for await (const image of images) {
    const result = await foundIn(image, options, tracks)
    batch.push(result)
    faces += 'faces' in result ? result.faces.length : 0
    // Images without a face wait with the others, but not for ever.
    if (faces < batchSize && batch.length < 8 * batchSize) continue
    underWay.push(answered(reader, batch))
    // Whoever waits for it hears of a failure; until then it is not unhandled.
    underWay.at(-1)!.catch(() => {})
    batch = []
    faces = 0
    if (underWay.length > UNDER_WAY) yield* await underWay.shift()!
  }
  underWay.push(answered(reader, batch))
  for (const answer of underWay) yield* await answer
}

/** A batch with the classifier's readings. */
async function answered(reader: AuReader, batch: readonly WaitingResult[]): Promise<Result[]> {
  const crops = batch.flatMap((result) =>
    ('faces' in result ? result.faces : []).flatMap(({ rgb }) => rgb ?? []),
  )
  const readings = await reader.read(crops)
  let next = 0
  return batch.map((result) => {
    if (!('faces' in result)) return result
    const faces = result.faces.map(({ rgb, ...face }) => ({
      ...face,
      reading: rgb ? readings[next++] : null,
    }))
    return { input: result.input, faces }
  })
}

/** The faces of an image, cropped. */
async function foundIn(
  image: InputImage,
  { crop, finder, reader }: PredictOptions,
  tracks: VideoTracks,
): Promise<WaitingResult> {
  const { input, frame, timestamp } = image
  const none = { input, frame, timestamp, faceId: 0, face: null, imageSize: null, rgb: null }
  try {
    if (crop === 'none' || !finder)
      return { input, faces: [{ ...none, rgb: await image.whole(reader.imageSize) }] }
    const pixels = await image.pixels()
    const imageSize = { width: pixels.width, height: pixels.height }
    const faces = finder.find(pixels)
    if (faces.length === 0) return { input, faces: [{ ...none, imageSize }] }
    const numbers = tracks.number(image, faces)
    const waiting = faces.map((face, i): Waiting => {
      const rgb = cropped(pixels, cropFrame(pixels, face, crop), reader.imageSize)
      return { input, frame, timestamp, faceId: numbers[i], face, imageSize, rgb }
    })
    return { input, faces: waiting }
  } catch (error) {
    // Decoders add lines of detail about their own libraries.
    const [unreadable] = (error instanceof Error ? error.message : String(error)).split('\n', 1)
    return { input, unreadable }
  }
}

/** Numbers faces: those of an image by size, those of a video by their tracks. */
class VideoTracks {
  #input: string | null = null
  #tracks = new FaceTracks()

  number({ input, frame, timestamp }: InputImage, faces: readonly Face[]): number[] {
    if (timestamp === null) return faces.map((_, i) => i)
    if (input !== this.#input) [this.#input, this.#tracks] = [input, new FaceTracks()]
    return this.#tracks.assign(
      frame,
      faces.map(({ box }) => box),
    )
  }
}

import type { Face } from '../face/faceFinder.js'
import type { AuReader } from './auReader.js'
import { FaceTracks } from './faceTracks.js'
import type { CutImage, ImageContent, InputImage, Prediction, Result } from './prediction.js'

export interface PredictOptions {
  readonly reader: AuReader
  /** Cuts the faces out of an image. */
  readonly cut: (content: ImageContent) => Promise<CutImage>
  /** Images that are cut at the same time. */
  readonly ahead: number
  /** Faces a forward pass. */
  readonly batchSize: number
}

/** A prediction that waits for the device. */
interface Waiting extends Omit<Prediction, 'reading'> {
  /** RGB bytes for the classifier; null for an image without a face. */
  readonly rgb: Uint8Array | null
}

interface InWork {
  readonly image: InputImage
  readonly found: Promise<CutImage>
}

type Unreadable = Exclude<Result, { faces: unknown }>
type WaitingResult = { readonly input: string; readonly faces: readonly Waiting[] } | Unreadable

/** Batches that are on the device while the next faces are found. */
const UNDER_WAY = 2

/** Predicts image after image, in their order. Holds a few batches in memory, however many images there are. */
export async function* predictions(
  images: AsyncIterable<InputImage>,
  options: PredictOptions,
): AsyncGenerator<Result> {
  const { reader, batchSize } = options
  const underWay: Promise<Result[]>[] = []
  let batch: WaitingResult[] = []
  let faces = 0
  for await (const result of foundIn(images, options)) {
    batch.push(result)
    faces += 'faces' in result ? result.faces.length : 0
    // Images that cannot be read wait with the others, but not for ever.
    if (faces < batchSize && batch.length < 8 * batchSize) continue
    underWay.push(heardLater(answered(reader, batch)))
    batch = []
    faces = 0
    if (underWay.length > UNDER_WAY) yield* await underWay.shift()!
  }
  underWay.push(heardLater(answered(reader, batch)))
  for (const answer of underWay) yield* await answer
}

/** The images with their faces, in their order; several are worked on at the same time. */
async function* foundIn(
  images: AsyncIterable<InputImage>,
  { cut, ahead }: PredictOptions,
): AsyncGenerator<WaitingResult> {
  const tracks = new VideoTracks()
  const waiting: InWork[] = []
  for await (const image of images) {
    waiting.push({ image, found: heardLater(image.content().then(cut)) })
    if (waiting.length >= ahead) yield await named(waiting.shift()!, tracks)
  }
  for (const next of waiting) yield await named(next, tracks)
}

/** Whoever waits for it hears of a failure; until then it is not unhandled. */
function heardLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

async function named({ image, found }: InWork, tracks: VideoTracks): Promise<WaitingResult> {
  const { input, frame, timestamp } = image
  try {
    const { imageSize, faces } = await found
    if (faces.length === 0)
      return { input, faces: [{ input, frame, timestamp, faceId: 0, face: null, imageSize, rgb: null }] }
    const numbers = tracks.number(
      image,
      faces.flatMap(({ face }) => face ?? []),
    )
    const waiting = faces.map(({ face, rgb }, i): Waiting => {
      return { input, frame, timestamp, faceId: numbers[i] ?? i, face, imageSize, rgb }
    })
    return { input, faces: waiting }
  } catch (error) {
    // Decoders add lines of detail about their own libraries.
    const [unreadable] = (error instanceof Error ? error.message : String(error)).split('\n', 1)
    return { input, unreadable }
  }
}

/** A batch with the classifier's readings. */
async function answered(reader: AuReader, batch: readonly WaitingResult[]): Promise<Result[]> {
  const waiting = batch.flatMap((result) => ('faces' in result ? result.faces : []))
  const readings = await reader.read(waiting.flatMap(({ rgb }) => rgb ?? []))
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

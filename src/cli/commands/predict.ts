import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { counted } from '../../data/notes.js'
import { UserError } from '../../errors.js'
import { type Crop, crops } from '../../face/crop.js'
import { AuReader } from '../../predict/auReader.js'
import { type Input, openInput } from '../../predict/inputs.node.js'
import type { InputImage, Result } from '../../predict/prediction.js'
import { predictions } from '../../predict/predictions.js'
import { formats } from '../../predict/table.js'
import { readSafetensors } from '../../train/checkpoint/safetensorsFile.node.js'
import { FacePool } from '../facePool.node.js'
import { FeatureFile } from '../featureFile.node.js'
import { fileAt, GrowingFile, requireNew } from '../growingFile.node.js'
import type { PredictOptions } from '../options.js'
import { Progress } from '../progress.js'
import { openAnnouncedDevice } from './session.js'

/** So that a thread that is done finds the next image. */
const IMAGES_PER_THREAD = 2

/** `predict`: the AUs of the faces in images and videos, as a table. Returns the exit code. */
export async function predict(sources: readonly string[], options: PredictOptions): Promise<number> {
  const format = formats[options.format]
  const out = fileAt(options.out, `predictions.${format.ending}`)
  for (const path of [out, ...featureFiles(options)]) requireNew(path)
  const inputs = await openInputs(await pathsOf(sources), options)
  const file = await readSafetensors(options.checkpoint)
  const runtime = await openAnnouncedDevice()
  const reader = AuReader.load(runtime, file, options.checkpoint)
  const crop = chosenCrop(reader, options)
  console.log(`AUs ${reader.aus.join(', ')}; ${thresholdNote(reader)}; crop: ${crop}`)
  const pool = new FacePool(options.threads ?? availableParallelism(), { crop, side: reader.imageSize })

  const ofVideo = inputs.some(({ kind }) => kind === 'video')
  const table = format.table({ aus: reader.aus, thresholds: reader.thresholds, ofVideo })
  const growing = await GrowingFile.create(out)
  const features = options.features
    ? await FeatureFile.create(options.features, reader.model.config.width)
    : null
  const progress = new Progress({
    label: 'predict',
    total: totalOf(inputs),
    unit: 'faces',
    stream: process.stderr,
  })
  const tally = new Tally()
  try {
    await growing.append(table.header)
    const { batchSize } = options
    const { cut } = pool
    const ahead = IMAGES_PER_THREAD * pool.size
    for await (const result of predictions(imagesOf(inputs), { reader, cut, ahead, batchSize })) {
      if (pool.failure) throw pool.failure
      if ('faces' in result) await growing.append(result.faces.map(table.row).join(''))
      await features?.add(result)
      progress.update({ images: tally.count(result) })
    }
    progress.finish()
    await features?.finish()
  } finally {
    await growing.close()
    await features?.close()
    await pool.close()
  }
  runtime.close()
  for (const line of tally.lines) console.log(line)
  console.log(`Saved ${out}`)
  return options.strict && tally.unreadable > 0 ? 1 : 0
}

function featureFiles({ features }: PredictOptions): string[] {
  return features ? [features, FeatureFile.indexOf(features)] : []
}

/** The sources; `-` stands for the lines of standard input. */
async function pathsOf(sources: readonly string[]): Promise<string[]> {
  const paths: string[] = []
  for (const source of sources) {
    if (source !== '-') paths.push(source)
    else for await (const line of createInterface({ input: process.stdin })) if (line !== '') paths.push(line)
  }
  if (paths.length === 0) throw new UserError('no images: standard input lists no paths')
  return paths
}

/** All of them, before anything is written: a path that is not there costs no hour. */
async function openInputs(
  paths: readonly string[],
  { root, allowOutside }: PredictOptions,
): Promise<Input[]> {
  const inputs: Input[] = []
  for (const path of paths) inputs.push(await openInput(path, { root, allowOutside }, paths.length > 1))
  for (const { notes } of inputs) for (const note of notes) console.log(note)
  return inputs
}

async function* imagesOf(inputs: readonly Input[]): AsyncGenerator<InputImage> {
  for (const input of inputs) yield* input.images()
}

function totalOf(inputs: readonly Input[]): number | null {
  return inputs.reduce<number | null>(
    (sum, { length }) => (sum === null || length === null ? null : sum + length),
    0,
  )
}

function chosenCrop(reader: AuReader, { crop, checkpoint }: PredictOptions): Crop {
  if (crop && reader.crop && crop !== reader.crop)
    console.log(`Note: ${checkpoint} was trained on faces cropped as ${reader.crop}, not ${crop}.`)
  const chosen = crop ?? reader.crop
  if (chosen) return chosen
  throw new UserError(
    `${checkpoint}: the checkpoint does not say how its training images were cropped; expected --crop ${crops.join(', ')}`,
  )
}

function thresholdNote({ thresholds, ownThresholds }: AuReader): string {
  if (ownThresholds) return `present at the checkpoint's thresholds (${thresholds.join(', ')})`
  return `present at a probability of ${thresholds[0]} or more, because the checkpoint states no thresholds`
}

/** Counts what came of the images. */
class Tally {
  #images = 0
  #faces = 0
  #without = 0
  readonly #problems: string[] = []

  /** Returns the number of faces that were read. */
  count(result: Result): number {
    this.#images++
    if ('unreadable' in result) {
      this.#problems.push(`Not read: ${result.input}: ${result.unreadable}`)
      return 0
    }
    const read = result.faces.filter(({ reading }) => reading !== null).length
    this.#faces += read
    if (read === 0) this.#without++
    return read
  }

  get unreadable(): number {
    return this.#problems.length
  }

  get lines(): string[] {
    const without = this.#without > 0 ? `, ${counted(this.#without, 'image', 'images')} without a face` : ''
    const failed = this.unreadable > 0 ? `, ${counted(this.unreadable, 'image', 'images')} not read` : ''
    const total = `${counted(this.#faces, 'face', 'faces')} in ${counted(this.#images, 'image', 'images')}`
    return [...this.#problems, `${total}${without}${failed}`]
  }
}

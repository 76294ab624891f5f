import { PhiloxStream } from '../engine/random.js'
import { UserError } from '../errors.js'
import { type Augmentation, copyAugmented, drawAugmentation } from './augment.js'
import { auTargets, subjectTargets } from './folds.js'
import type { ImageLoader } from './imageLoader.js'
import { streams } from './streams.js'

export interface Batch {
  /** [B, 3, S, S] */
  readonly images: Float32Array
  /** Indices of the images in the set, [B]. */
  readonly indices: Uint32Array
  /** 0 or 1, [B, A]; empty if no AUs were requested. */
  readonly aus: Float32Array
  /** Identity class of each image, [B]; empty if no subjects were requested. */
  readonly subjects: Uint32Array
}

/** The position of a run in its data. `position` counts the batches taken in this epoch. */
export interface BatchState {
  readonly epoch: number
  readonly position: number
}

export interface BatchOptions {
  readonly loader: ImageLoader
  /** Indices of the images to use. */
  readonly indices: ArrayLike<number>
  readonly batchSize: number
  /** Columns of the AU targets; omitted: none. */
  readonly aus?: readonly number[]
  /** Identity classes in order; omitted: none. */
  readonly subjects?: readonly string[]
}

export interface TrainingBatchOptions extends BatchOptions {
  readonly seed: number
  readonly augmentation: Augmentation
}

/** Number of batches that are prepared while the GPU works. */
const READ_AHEAD = 2

/** @throws UserError that names the set, because an epoch has no partial batch */
export function requireBatch(name: string, images: number, batchSize: number): void {
  if (images < batchSize)
    throw new UserError(
      `${name}: ${images} images are fewer than one batch of ${batchSize}; lower the batch size`,
    )
}

/** Targets of all images, computed once so that label errors are reported before training starts. */
class Targets {
  readonly #aus: Float32Array
  readonly #subjects: Uint32Array
  readonly #columns: number

  constructor(options: BatchOptions) {
    const { set } = options.loader
    this.#columns = options.aus?.length ?? 0
    this.#aus = options.aus ? auTargets(set, options.indices, options.aus) : new Float32Array(0)
    this.#subjects = options.subjects
      ? subjectTargets(set, options.indices, options.subjects)
      : new Uint32Array(0)
  }

  /** @param rows positions in the index list, not image indices */
  select(rows: Uint32Array): Pick<Batch, 'aus' | 'subjects'> {
    const columns = this.#columns
    const aus = new Float32Array(rows.length * columns)
    rows.forEach((row, at) => {
      aus.set(this.#aus.subarray(row * columns, (row + 1) * columns), at * columns)
    })
    const subjects = this.#subjects.length > 0 ? rows.map((row) => this.#subjects[row]) : new Uint32Array(0)
    return { aus, subjects }
  }
}

/**
 * Endless training batches: a new random order in each epoch, without the last partial batch. Batch n of
 * epoch e is a pure function of (seed, e, n), so setting `state` resumes exactly.
 */
export class BatchSource {
  /** Batches in an epoch. */
  readonly batchesPerEpoch: number
  readonly #targets: Targets
  readonly #indices: Uint32Array
  readonly #ready = new Map<number, Promise<Batch>>()
  #order: { epoch: number; rows: Uint32Array } | null = null
  #step = 0

  constructor(readonly options: TrainingBatchOptions) {
    this.#indices = Uint32Array.from(options.indices)
    requireBatch(options.loader.set.name, this.#indices.length, options.batchSize)
    this.batchesPerEpoch = Math.floor(this.#indices.length / options.batchSize)
    this.#targets = new Targets(options)
  }

  /** Position of the next batch. */
  get state(): BatchState {
    return {
      epoch: Math.floor(this.#step / this.batchesPerEpoch),
      position: this.#step % this.batchesPerEpoch,
    }
  }

  set state({ epoch, position }: BatchState) {
    if (position >= this.batchesPerEpoch)
      throw new UserError(
        `Cannot resume at batch ${position} of ${this.batchesPerEpoch}; the data or the batch size has changed`,
      )
    this.#step = epoch * this.batchesPerEpoch + position
    this.#ready.clear()
  }

  /** The next batch; the following ones are prepared in the background. */
  next(): Promise<Batch> {
    const batch = this.#prepare(this.#step)
    this.#ready.delete(this.#step++)
    for (let ahead = 0; ahead < READ_AHEAD; ahead++) this.#prepare(this.#step + ahead)
    return batch
  }

  #prepare(step: number): Promise<Batch> {
    const known = this.#ready.get(step)
    if (known) return known
    const batch = this.#make(Math.floor(step / this.batchesPerEpoch), step % this.batchesPerEpoch)
    // next() passes the error on; until then it must not count as an unhandled rejection.
    batch.catch(() => {})
    this.#ready.set(step, batch)
    return batch
  }

  #rowsOf(epoch: number, position: number): Uint32Array {
    if (this.#order?.epoch !== epoch)
      this.#order = {
        epoch,
        rows: new PhiloxStream(this.options.seed, streams.order, epoch).permutation(this.#indices.length),
      }
    const { batchSize } = this.options
    return this.#order.rows.subarray(position * batchSize, (position + 1) * batchSize)
  }

  async #make(epoch: number, position: number): Promise<Batch> {
    const { loader, augmentation, seed } = this.options
    const rows = this.#rowsOf(epoch, position)
    const indices = rows.map((row) => this.#indices[row])
    const length = 3 * loader.size ** 2
    const images = new Float32Array(rows.length * length)
    await Promise.all(
      Array.from(indices, async (index, at) => {
        const draw = drawAugmentation(augmentation, seed, epoch, index)
        copyAugmented(await loader.load(index), loader.size, draw, images, at * length)
      }),
    )
    return { images, indices, ...this.#targets.select(rows) }
  }
}

/** Batches in the order of `indices`, the last one partial, without augmentation: for evaluation. */
export async function* sequentialBatches(options: BatchOptions): AsyncGenerator<Batch> {
  const { loader, batchSize } = options
  const all = Uint32Array.from(options.indices)
  const targets = new Targets(options)
  const make = async (start: number): Promise<Batch> => {
    const indices = all.slice(start, start + batchSize)
    const length = 3 * loader.size ** 2
    const images = new Float32Array(indices.length * length)
    await Promise.all(
      Array.from(indices, async (index, at) => images.set(await loader.load(index), at * length)),
    )
    return { images, indices, ...targets.select(indices.map((_, at) => start + at)) }
  }
  let upcoming = make(0)
  for (let start = 0; start < all.length; start += batchSize) {
    const batch = await upcoming
    upcoming = make(start + batchSize)
    upcoming.catch(() => {})
    yield batch
  }
}

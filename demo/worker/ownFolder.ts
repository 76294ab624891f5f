import { imageDecoder } from '../../src/data/decodeImage.browser.js'
import {
  auTargets,
  chooseFolds,
  type Fold,
  foldsOf,
  indicesOfSubjects,
  subjectsOf,
} from '../../src/data/folds.js'
import { ImageLoader } from '../../src/data/imageLoader.js'
import type { ImageSet } from '../../src/data/imageSet.js'
import { imagesDigest } from '../../src/data/imagesDigest.js'
import { openFiles, type PickedFile } from '../../src/data/openFiles.browser.js'
import { streams } from '../../src/data/streams.js'
import { PhiloxStream } from '../../src/engine/random.js'
import { UserError } from '../../src/errors.js'
import type { FineTuningData } from '../../src/train/makeFineTuning.js'
import type { FolderMark, FolderSummary } from '../protocol.js'
import { FACE_SIZE, onePerSubject } from './faces.js'
import type { PretrainData } from './pretrainRun.js'

const SEED = 0
/** As many folds as the command line makes. */
const FOLDS = 3
const SHOWN = 6
const THUMBNAILS = 12
/** Where no subjects are known, so large a share of the images is held out. */
const HELD_OUT_SHARE = 0.1
/** Images decoded at the same time. */
const AT_ONCE = 16

/** Training and test images of a classifier. */
export interface ClassifierData extends FineTuningData {
  readonly test: Uint32Array
}

/** A visitor's folder of images, and its folds. */
export class OwnFolder {
  readonly loader: ImageLoader
  readonly #folds: readonly Fold[]
  /** Never trained on: subjects of the last fold, or a share of the images. */
  readonly #heldOut: Uint32Array
  #decoded: Promise<void> | null = null
  #pretrain: Promise<PretrainData> | null = null

  private constructor(
    readonly set: ImageSet,
    readonly mark: FolderMark,
  ) {
    this.loader = new ImageLoader({
      set,
      decoder: imageDecoder,
      size: FACE_SIZE,
      standardisation: 'highpass',
    })
    this.#folds = foldsOrNone(set)
    const testSubjects = indicesOfSubjects(set, this.#folds.at(-1)?.subjects ?? [])
    this.#heldOut = testSubjects.length > 0 ? testSubjects : someOf(set.length)
  }

  /** @throws UserError naming file and line of what is wrong */
  static async open(files: readonly PickedFile[]): Promise<OwnFolder> {
    const set = await openFiles(files)
    const all = Uint32Array.from({ length: set.length }, (_, index) => index)
    return new OwnFolder(set, { name: set.name, images: await imagesDigest(set, all) })
  }

  async summary(): Promise<FolderSummary> {
    const { set, loader } = this
    const records = Array.from({ length: set.length }, (_, index) => set.sample(index))
    const classifier = this.#classifierOrReason()
    return {
      name: set.name,
      images: set.length,
      subjects: subjectsOf(set).length,
      labelled: records.filter(({ aus }) => aus).length,
      aus: (set.aus ?? []).map((unit) => ({
        unit,
        images: records.filter(({ aus }) => aus?.includes(unit)).length,
      })),
      folds: this.#folds.map(({ name, subjects }) => ({
        name,
        subjects: subjects.length,
        images: indicesOfSubjects(set, subjects).length,
      })),
      pretrainImages: set.length - this.#heldOut.length,
      fineTune:
        typeof classifier === 'string'
          ? null
          : { train: classifier.train.length, test: classifier.test.length },
      noFineTune: typeof classifier === 'string' ? classifier : null,
      size: FACE_SIZE,
      thumbnails: await Promise.all(
        Array.from({ length: Math.min(THUMBNAILS, set.length) }, (_, index) => loader.decode(index)),
      ),
    }
  }

  /**
   * Reads every image once, before the first step: one that cannot be read is told now, not in the middle of
   * an epoch.
   * @throws UserError naming it
   */
  decoded(onRead: (share: number) => void): Promise<void> {
    this.#decoded ??= this.#decodeAll(onRead)
    // A corrected file may be read the next time.
    this.#decoded.catch(() => {
      this.#decoded = null
    })
    return this.#decoded
  }

  pretrainData(): Promise<PretrainData> {
    this.#pretrain ??= this.#makePretrainData()
    return this.#pretrain
  }

  async #makePretrainData(): Promise<PretrainData> {
    const { set, loader } = this
    const out = new Set(this.#heldOut)
    const train = Uint32Array.from({ length: set.length }, (_, index) => index).filter(
      (index) => !out.has(index),
    )
    const subjects = onePerSubject(set, this.#heldOut, SHOWN)
    const others = this.#heldOut.filter((index) => !subjects.includes(index))
    const shown = [...subjects, ...others].slice(0, SHOWN)
    return { loader, train, shown, images: await imagesDigest(set, train) }
  }

  /** @throws UserError that says why classifiers cannot be trained on these images */
  async classifierData(): Promise<ClassifierData> {
    const found = this.#classifierOrReason()
    if (typeof found === 'string') throw new UserError(found)
    return found
  }

  #classifierOrReason(): ClassifierData | string {
    const { set, loader } = this
    const { name, aus } = set
    if (!aus) return `${name} has no AU labels, which fine-tuning needs`
    if (aus.length === 0) return `${name} has no image in which an action unit is present`
    if (this.#folds.length === 0)
      return `The labels of ${name} name fewer than two subjects, so none can be held out. Expected "subject" in each label`
    try {
      const parts = chooseFolds(set, { folds: this.#folds.length, seenFraction: 0, seed: SEED })
      auTargets(set, parts.train, aus)
      auTargets(set, parts.test, aus)
      return { ...parts, loader, aus }
    } catch (error) {
      if (error instanceof UserError) return error.message
      throw error
    }
  }

  async #decodeAll(onRead: (share: number) => void): Promise<void> {
    const { length } = this.set
    for (let start = 0; start < length; start += AT_ONCE) {
      const count = Math.min(AT_ONCE, length - start)
      await Promise.all(Array.from({ length: count }, (_, i) => this.loader.load(start + i)))
      onRead((start + count) / length)
    }
  }
}

/** None for images of fewer than two subjects. */
function foldsOrNone(set: ImageSet): readonly Fold[] {
  const subjects = subjectsOf(set).length
  return subjects < 2 ? [] : foldsOf(set, { folds: Math.min(FOLDS, subjects), seed: SEED })
}

/** A tenth of the images, drawn at random, one at least; none if there is only one. */
function someOf(length: number): Uint32Array {
  const all = Array.from({ length }, (_, index) => index)
  const count = Math.min(length - 1, Math.max(1, Math.floor(HELD_OUT_SHARE * length)))
  return Uint32Array.from(new PhiloxStream(SEED, streams.heldOut).shuffle(all).slice(0, count)).sort()
}

import type { Fold } from '../data/folds.js'
import { foldsDigest } from '../data/foldsDigest.js'
import type { ImageLoader } from '../data/imageLoader.js'
import type { ImageSet } from '../data/imageSet.js'
import { imagesDigest } from '../data/imagesDigest.js'
import type { Runtime } from '../engine/runtime.js'
import type { VitConfig } from '../model/config.js'
import type { CheckpointInfo } from './checkpoint/checkpoint.js'
import { type Start, startFrom } from './checkpoint/startFrom.js'
import { FineTuning } from './loop/fineTuning.js'
import { classifierConfig } from './modelConfig.js'
import type { FineTuneSettings } from './settings.js'
import type { RunSettings } from './trainingRun.js'

/** The images of a fine-tuning, and their AUs and subjects. */
export interface FineTuningData {
  readonly loader: ImageLoader
  readonly train: ArrayLike<number>
  readonly aus: readonly number[]
  /** Identity classes. */
  readonly subjects: readonly string[]
  readonly folds: readonly Fold[]
}

export interface FineTuningPlan {
  readonly settings: FineTuneSettings
  readonly encoder: VitConfig
  /** Batches that fit this adapter, if those of the settings are too large. */
  readonly batches?: Pick<RunSettings, 'batchSize' | 'accumulation'>
  /** Weights to start from; null for random weights, and for a run that resumes from its own checkpoint. */
  readonly start: Start | null
  /** Receives one line on what was loaded from `start`. */
  readonly say: (line: string) => void
}

/** A fine-tuning ready for `trainLoop`. */
export interface MadeFineTuning {
  readonly run: FineTuning
  /** Metadata for its checkpoints. */
  readonly info: CheckpointInfo
  /** Frees its device memory; see `Runtime.own`. */
  readonly release: () => void
}

/** The crop that this run makes, or the one that its images come with. */
function cropOf({ crop }: ImageSet, settings: FineTuneSettings): Pick<CheckpointInfo, 'crop'> {
  if (settings.crop !== 'none') return { crop: settings.crop }
  return crop ? { crop } : {}
}

/** Requires Web Crypto: Node, or a page in a secure context. @throws UserError if `start` does not fit. */
export async function makeFineTuning(
  runtime: Runtime,
  data: FineTuningData,
  { settings, encoder, batches, start, say }: FineTuningPlan,
): Promise<MadeFineTuning> {
  const { loader, train, aus, subjects, folds } = data
  const config = classifierConfig(encoder, { aus: aus.length, subjects: subjects.length }, settings)
  const info = {
    config,
    settings,
    aus,
    images: await imagesDigest(loader.set, train),
    folds: await foldsDigest(loader.set, folds),
    ...cropOf(loader.set, settings),
  }
  const { made: run, release } = runtime.own(() => {
    const made = new FineTuning(runtime, config, { ...settings, ...batches }, loader, train, aus, subjects)
    if (start) startFrom(start, made, info, say)
    return made
  })
  return { run, info, release }
}

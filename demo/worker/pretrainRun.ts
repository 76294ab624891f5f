import type { ImageLoader } from '../../src/data/imageLoader.js'
import type { Runtime } from '../../src/engine/runtime.js'
import type { FmaeConfig } from '../../src/model/config.js'
import { presets } from '../../src/model/presets.js'
import { Pretraining } from '../../src/train/loop/pretraining.js'
import { reconstruct } from '../../src/train/reconstructions.js'
import { pretrainDefaults } from '../../src/train/settings.js'
import type { PretrainSettings, RunName } from '../protocol.js'
import { Training, type TrainingHooks } from './training.js'

/** Images to pretrain on, and held-out images to reconstruct. */
export interface PretrainData {
  readonly loader: ImageLoader
  readonly train: ArrayLike<number>
  readonly shown: ArrayLike<number>
  /** What tells them from other images, where runs must not go on with others. */
  readonly images?: string
}

/** FMAE pretraining in the page. */
export function pretrainRun<Settings extends PretrainSettings>(
  name: RunName,
  runtime: Runtime,
  data: () => Promise<PretrainData>,
  hooks: Pick<TrainingHooks<Settings>, 'tell' | 'settings'>,
): Training<Settings> {
  return new Training<Settings>({
    ...hooks,
    name,
    make: async (settings) => {
      const { loader, train, images } = await data()
      const config = fmaeConfigOf(settings)
      const options = pretrainOptionsOf(settings)
      const { made: run, release } = runtime.own(
        () => new Pretraining(runtime, config, options, loader, train),
      )
      const info = { config, settings: options, ...(images ? { images } : {}) }
      return { run, info, release }
    },
    show: async (run, step) => {
      const { loader, shown } = await data()
      const { model } = run as Pretraining
      const samples = await reconstruct(runtime, model, loader, shown, 0)
      hooks.tell({ type: 'reconstructions', run: name, step, size: model.config.imageSize, samples })
    },
  })
}

/** The nano model in the sizes that were set; heads of 16, as nano has them. */
export function fmaeConfigOf({ maskRatio, patchSize, width, depth }: PretrainSettings): FmaeConfig {
  return { ...presets.nano, maskRatio, patchSize, width, depth, heads: width / 16 }
}

/** The nano recipe under these settings: what the command line calls the options of a run. */
export function pretrainOptionsOf({ batchSize, baseLearningRate, epochs, maskRatio }: PretrainSettings) {
  const warmupEpochs = epochs / 10
  return pretrainDefaults({ batchSize, baseLearningRate, epochs, warmupEpochs, maskRatio })
}

/** Training runs on labeled noise images: the arithmetic does not depend on their content. */

import { ImageLoader } from '../src/data/imageLoader.js'
import type { ImageSet } from '../src/data/imageSet.js'
import { PhiloxStream } from '../src/engine/random.js'
import type { Runtime } from '../src/engine/runtime.js'
import { CHANNELS, type ClassifierConfig, type FmaeConfig } from '../src/model/config.js'
import { FineTuning } from '../src/train/loop/fineTuning.js'
import { Pretraining } from '../src/train/loop/pretraining.js'
import { classifierConfig } from '../src/train/modelConfig.js'
import { fineTuneDefaults, pretrainDefaults } from '../src/train/settings.js'

const AUS = [1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24]
const SUBJECTS = Array.from({ length: 168 }, (_, i) => `S${i}`)
const PICTURES = 256

const noise: ImageSet = {
  name: 'noise',
  length: PICTURES,
  aus: AUS,
  folds: null,
  sample: (i) => ({
    id: String(i),
    subject: SUBJECTS[i % SUBJECTS.length],
    aus: [AUS[i % AUS.length]],
    split: null,
  }),
  bytes: async (i) => Uint8Array.of(i),
  describe: (i) => `noise ${i}`,
}

const indices = Array.from({ length: PICTURES }, (_, i) => i)

function loaderOf(size: number): ImageLoader {
  const decoder = {
    decode: async ([seed]: Uint8Array) => {
      const stream = new PhiloxStream(seed, 0)
      return Uint8Array.from({ length: size * size * CHANNELS }, () => stream.integer(256))
    },
  }
  return new ImageLoader({ set: noise, decoder, size, standardisation: 'highpass' })
}

/** FMAE pretraining with the recipe of the main job. */
export function noisePretraining(
  runtime: Runtime,
  config: FmaeConfig,
  changes: { batchSize?: number; epochs?: number } = {},
): Pretraining {
  const settings = pretrainDefaults(changes)
  return new Pretraining(runtime, config, settings, loaderOf(config.imageSize), indices)
}

/** The IAT classifier of 12 AUs and 168 subjects on the encoder of `config`. */
export function noiseClassifier(config: FmaeConfig): ClassifierConfig {
  const outputs = { aus: AUS.length, subjects: SUBJECTS.length }
  return classifierConfig(config, outputs, fineTuneDefaults({ lambda: 2 }))
}

/** IAT fine-tuning with the recipe of the main job. */
export function noiseFineTuning(
  runtime: Runtime,
  config: FmaeConfig,
  changes: { batchSize?: number } = {},
): FineTuning {
  const settings = fineTuneDefaults({ lambda: 1, ...changes })
  const loader = loaderOf(config.imageSize)
  return new FineTuning(runtime, noiseClassifier(config), settings, loader, indices, AUS, SUBJECTS)
}

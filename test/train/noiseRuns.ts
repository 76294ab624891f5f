import type { Runtime } from '../../src/engine/runtime.js'
import type { ClassifierConfig, FmaeConfig } from '../../src/model/config.js'
import { presets } from '../../src/model/presets.js'
import { FineTuning } from '../../src/train/loop/fineTuning.js'
import { Pretraining } from '../../src/train/loop/pretraining.js'
import { classifierConfig } from '../../src/train/modelConfig.js'
import {
  type FineTuneSettings,
  fineTuneDefaults,
  type PretrainSettings,
  pretrainDefaults,
} from '../../src/train/settings.js'
import { noiseAus, noiseIndices, noiseLoader, noiseSubjects } from './noiseImages.js'

const sizes = { imageSize: 32, patchSize: 8, width: 24, heads: 3, depth: 2, mlpRatio: 2 }

/** A masked autoencoder whose steps take milliseconds. */
export const tinyFmae: FmaeConfig = {
  ...presets.nano,
  ...sizes,
  decoderWidth: 16,
  decoderDepth: 1,
  decoderHeads: 2,
}

/** A classifier with an identity head and drop path, of the same size. */
export const tinyClassifier: ClassifierConfig = classifierConfig(
  tinyFmae,
  { aus: noiseAus.length, subjects: noiseSubjects.length },
  fineTuneDefaults({ lambda: 1, dropPath: 0.3 }),
)

/** Pretraining on noise pictures: the nano recipe with `changes`. */
export function noisePretraining(
  runtime: Runtime,
  config: FmaeConfig,
  changes: Partial<PretrainSettings>,
): Pretraining {
  const settings = pretrainDefaults(changes)
  return new Pretraining(runtime, config, settings, noiseLoader(config.imageSize), noiseIndices)
}

/** IAT fine-tuning on noise pictures: the nano recipe with `changes`. */
export function noiseFineTuning(
  runtime: Runtime,
  config: ClassifierConfig,
  changes: Partial<FineTuneSettings>,
): FineTuning {
  const settings = fineTuneDefaults({ lambda: 1, ...changes })
  const loader = noiseLoader(config.imageSize)
  return new FineTuning(runtime, config, settings, loader, noiseIndices, noiseAus, noiseSubjects)
}

import type { Runtime } from '../../src/engine/runtime.js'
import type { ClassifierConfig, FmaeConfig } from '../../src/model/config.js'
import { presets } from '../../src/model/presets.js'
import { FineTuning } from '../../src/train/loop/fineTuning.js'
import { Pretraining } from '../../src/train/loop/pretraining.js'
import {
  type FineTuneOptions,
  fineTuneDefaults,
  type PretrainOptions,
  pretrainDefaults,
} from '../../src/train/options.js'
import { fineTuneRecipes, pretrainRecipes } from '../../src/train/recipes.js'
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
export const tinyClassifier: ClassifierConfig = {
  ...presets.nano,
  ...sizes,
  aus: noiseAus.length,
  subjects: noiseSubjects.length,
  lambda: 1,
  idLoss: 'bce',
  idHeadLayers: 1,
  dropPath: 0.3,
}

/** Pretraining on noise pictures: the nano recipe with `changes`. */
export function noisePretraining(
  runtime: Runtime,
  config: FmaeConfig,
  changes: Partial<PretrainOptions>,
): Pretraining {
  const settings = { ...pretrainDefaults(pretrainRecipes.nano), ...changes }
  return new Pretraining(runtime, config, settings, noiseLoader(config.imageSize), noiseIndices)
}

/** IAT fine-tuning on noise pictures: the nano recipe with `changes`. */
export function noiseFineTuning(
  runtime: Runtime,
  config: ClassifierConfig,
  changes: Partial<FineTuneOptions>,
): FineTuning {
  const settings = { ...fineTuneDefaults(fineTuneRecipes['nano-iat']), ...changes }
  const loader = noiseLoader(config.imageSize)
  return new FineTuning(runtime, config, settings, loader, noiseIndices, noiseAus, noiseSubjects)
}

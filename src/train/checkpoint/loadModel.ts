import type { Runtime } from '../../engine/runtime.js'
import { UserError } from '../../errors.js'
import { AuClassifier } from '../../model/auClassifier.js'
import type { ClassifierConfig, VitConfig } from '../../model/config.js'
import { classifierConfig } from '../modelConfig.js'
import type { SafetensorsFile } from './safetensors.js'
import { loadAll, loadMatching } from './trainingState.js'

/** The classifier of a checkpoint, with all its weights. */
export function loadClassifier(
  runtime: Runtime,
  config: ClassifierConfig,
  file: SafetensorsFile,
  path: string,
): AuClassifier {
  const model = new AuClassifier(runtime, config, 0)
  loadAll(model.parameters, file, path)
  return model
}

/** As `loadClassifier`, with a function that gives its memory back; nothing is held if loading fails. */
export function ownClassifier(
  runtime: Runtime,
  config: ClassifierConfig,
  file: SafetensorsFile,
  path: string,
): { made: AuClassifier; release: () => void } {
  const owned = runtime.own(() => new AuClassifier(runtime, config, 0))
  try {
    loadAll(owned.made.parameters, file, path)
  } catch (error) {
    owned.release()
    throw error
  }
  return owned
}

/**
 * The encoder of an FMAE checkpoint as a feature extractor: mean of the patch tokens under a new `fc_norm`.
 * Ignore its AU output, which has random weights.
 */
export function loadEncoder(
  runtime: Runtime,
  config: VitConfig,
  file: SafetensorsFile,
  path: string,
): AuClassifier {
  const classifier = classifierConfig(config, { aus: 1, subjects: 0 })
  const model = new AuClassifier(runtime, classifier, 0)
  const { missing } = loadMatching(model.parameters, file, path)
  const lost = missing.filter((name) => !name.startsWith('head.') && !name.startsWith('fc_norm.'))
  if (lost.length > 0) throw new UserError(`${path}: tensor ${lost[0]} is missing`)
  return model
}

import type { ImageLoader } from '../../src/data/imageLoader.js'
import type { Runtime } from '../../src/engine/runtime.js'
import type { ClassifierConfig } from '../../src/model/config.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { loadMatching } from '../../src/train/checkpoint/trainingState.js'
import { FineTuning } from '../../src/train/loop/fineTuning.js'
import { type FineTuneOptions, fineTuneDefaults } from '../../src/train/options.js'
import { fineTuneRecipes } from '../../src/train/recipes.js'
import type { FineTunePlan, RunName } from '../protocol.js'
import { Training, type TrainingHooks } from './training.js'

/** Images to train a classifier on. */
export interface FineTuneData {
  readonly loader: ImageLoader
  readonly train: ArrayLike<number>
  readonly aus: readonly number[]
  /** Identity classes. */
  readonly subjects: readonly string[]
  /** What tells them from other images, where runs must not go on with others. */
  readonly images?: string
}

/** What a run is made by: settings, and the sizes of its encoder. */
type Plan = Omit<FineTunePlan, 'pretrainStep'>

interface Hooks<P> extends Pick<TrainingHooks<P>, 'tell' | 'readSettings' | 'evaluate'> {
  readonly data: () => Promise<FineTuneData>
  /** A checkpoint of FMAE whose encoder a run starts from that is made now; null for a start at random. */
  readonly encoder: () => SafetensorsFile | null
}

/** A classifier for AUs, with IAT where `lambdaOf` its plan is not 0. */
export function fineTuneRun<P extends Plan>(
  name: RunName,
  runtime: Runtime,
  { data, encoder, ...hooks }: Hooks<P>,
  lambdaOf: (plan: P) => number,
): Training<P> {
  return new Training<P>({
    ...hooks,
    name,
    make: async (plan) => {
      const { loader, train, aus, subjects, images } = await data()
      const options = optionsOf(plan, lambdaOf(plan))
      const config = configOf(plan, options, aus.length, subjects.length)
      const { made: run, release } = runtime.own(
        () => new FineTuning(runtime, config, options, loader, train, aus, subjects),
      )
      try {
        startFrom(run, encoder())
      } catch (error) {
        release()
        throw error
      }
      const { standardise } = options
      const info = { config, options, aus, standardise, ...(images ? { images } : {}) }
      return { run, info, release }
    },
    // Classifiers are evaluated, not shown.
    show: async () => {},
  })
}

function startFrom(run: FineTuning, encoder: SafetensorsFile | null): void {
  if (!encoder) return
  loadMatching(run.parameters, encoder, 'the pretraining run')
  run.resetAuHead()
}

function optionsOf({ batchSize, epochs, baseLearningRate }: Plan, lambda: number): FineTuneOptions {
  const warmupEpochs = epochs / 10
  const defaults = fineTuneDefaults(fineTuneRecipes.nano)
  return { ...defaults, batchSize, epochs, warmupEpochs, baseLearningRate, lambda }
}

function configOf(
  { encoder }: Plan,
  { lambda, idLoss, idHeadLayers, dropPath }: FineTuneOptions,
  aus: number,
  subjects: number,
): ClassifierConfig {
  return { ...encoder, aus, subjects, lambda, idLoss, idHeadLayers, dropPath }
}

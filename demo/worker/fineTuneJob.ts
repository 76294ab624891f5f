import type { Runtime } from '../../src/engine/runtime.js'
import type { ClassifierConfig } from '../../src/model/config.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { loadMatching } from '../../src/train/checkpoint/trainingState.js'
import { FineTuning } from '../../src/train/loop/fineTuning.js'
import { type FinetuneOptions, fineTuneDefaults } from '../../src/train/options.js'
import { finetuneRecipes } from '../../src/train/recipes.js'
import type { FineTunePlan, JobName } from '../protocol.js'
import type { Faces } from './faces.js'
import { type JobHooks, TrainingJob } from './trainingJob.js'

interface Hooks extends Pick<JobHooks<FineTunePlan>, 'tell'> {
  readonly faces: () => Promise<Faces>
  /** A checkpoint of act 1 whose encoder a run starts from that is made now; null for a start at random. */
  readonly encoder: () => SafetensorsFile | null
}

/** One classifier of act 2, trained on people of folds 1 and 2. `lambda`: from the settings, or 0. */
export function fineTuneJob(
  name: JobName,
  runtime: Runtime,
  { tell, faces, encoder }: Hooks,
  lambdaOf: (plan: FineTunePlan) => number,
): TrainingJob<FineTunePlan> {
  return new TrainingJob<FineTunePlan>({
    name,
    tell,
    // The two share one turn.
    takeTurn: async () => {},
    make: async (plan) => {
      const { data, loader } = await faces()
      const options = optionsOf(plan, lambdaOf(plan))
      const config = configOf(plan, options, data.aus.length, data.subjects.length)
      const { made: run, release } = runtime.own(
        () => new FineTuning(runtime, config, options, loader, data.train, data.aus, data.subjects),
      )
      const from = encoder()
      if (from) {
        loadMatching(run.parameters, from, 'the run of act 1')
        run.resetAuHead()
      }
      return { run, info: { config, options, aus: data.aus, standardise: options.standardise }, release }
    },
    // Both classifiers are examined together, between their turns.
    show: async () => {},
  })
}

function optionsOf({ batchSize, epochs, baseLearningRate }: FineTunePlan, lambda: number): FinetuneOptions {
  const warmupEpochs = epochs / 10
  const defaults = fineTuneDefaults(finetuneRecipes.nano)
  return { ...defaults, batchSize, epochs, warmupEpochs, baseLearningRate, lambda }
}

function configOf(
  { encoder }: FineTunePlan,
  { lambda, idLoss, idHeadLayers, dropPath }: FinetuneOptions,
  aus: number,
  subjects: number,
): ClassifierConfig {
  return { ...encoder, aus, subjects, lambda, idLoss, idHeadLayers, dropPath }
}

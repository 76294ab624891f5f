import type { Runtime } from '../../src/engine/runtime.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { type FineTuningData, makeFineTuning } from '../../src/train/makeFineTuning.js'
import { fineTuneDefaults } from '../../src/train/settings.js'
import type { FineTunePlan, RunName } from '../protocol.js'
import { Training, type TrainingHooks } from './training.js'

/** What a run is made by: settings, and the sizes of its encoder. */
type Plan = Omit<FineTunePlan, 'pretrainStep'>

interface Hooks<P> extends Pick<TrainingHooks<P>, 'tell' | 'settings' | 'evaluate'> {
  readonly data: () => Promise<FineTuningData>
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
      const file = encoder()
      return makeFineTuning(runtime, await data(), {
        settings: settingsOf(plan, lambdaOf(plan)),
        encoder: plan.encoder,
        start: file && { file, path: 'the pretraining run' },
        say: () => {},
      })
    },
    // Classifiers are evaluated, not shown.
    show: async () => {},
  })
}

function settingsOf({ batchSize, epochs, baseLearningRate }: Plan, lambda: number) {
  return fineTuneDefaults({ batchSize, epochs, warmupEpochs: epochs / 10, baseLearningRate, lambda })
}

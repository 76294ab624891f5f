import { subjectsOf } from '../../src/data/folds.js'
import { ImageLoader } from '../../src/data/imageLoader.js'
import type { ImageDecoder, ImageSet } from '../../src/data/imageSet.js'
import type { Runtime } from '../../src/engine/runtime.js'
import { presets } from '../../src/model/presets.js'
import { FineTuning } from '../../src/train/loop/fineTuning.js'
import { Pretraining } from '../../src/train/loop/pretraining.js'
import { trainLoop } from '../../src/train/loop/trainLoop.js'
import { classifierConfig } from '../../src/train/modelConfig.js'
import { fineTuneDefaults, pretrainDefaults } from '../../src/train/settings.js'
import type { TrainingRun } from '../../src/train/trainingRun.js'

// Two short trainings of the nano model on bundled faces, the same in Node and in a browser.

const BATCH = 16
const STEPS_PER_EPOCH = 5
const changes = { batchSize: BATCH, epochs: 4, warmupEpochs: 1, seed: 7 }
export const STEPS = STEPS_PER_EPOCH * changes.epochs

/** Bundled faces with their platform's decoder. */
export interface Faces {
  readonly set: ImageSet
  readonly decoder: ImageDecoder
}

/** FMAE: the loss of each step. */
export async function pretrainingCurve(runtime: Runtime, faces: Faces): Promise<number[]> {
  const settings = pretrainDefaults(changes)
  const run = new Pretraining(runtime, presets.nano, settings, loaderOf(faces), images(faces.set))
  return curve(run)
}

/** FMAE-IAT from scratch: the loss of each step, AUs and identity together. */
export async function fineTuningCurve(runtime: Runtime, faces: Faces): Promise<number[]> {
  const settings = fineTuneDefaults({ lambda: 1, ...changes })
  const [aus, subjects] = [faces.set.aus!, subjectsOf(faces.set)]
  const config = classifierConfig(presets.nano, { aus: aus.length, subjects: subjects.length }, settings)
  return curve(new FineTuning(runtime, config, settings, loaderOf(faces), images(faces.set), aus, subjects))
}

function loaderOf({ set, decoder }: Faces): ImageLoader {
  return new ImageLoader({ set, decoder, size: presets.nano.imageSize, standardisation: 'highpass' })
}

/** Labelled pictures for an epoch of STEPS_PER_EPOCH batches. */
function images(set: ImageSet): number[] {
  const labelled = Array.from({ length: set.length }, (_, i) => i).filter((i) => set.sample(i).aus !== null)
  return labelled.slice(0, BATCH * STEPS_PER_EPOCH)
}

async function curve(run: TrainingRun): Promise<number[]> {
  const losses: number[] = []
  await trainLoop({
    run,
    onSteps: (steps) => {
      losses.push(...steps.map((step) => step.losses.loss))
    },
    onEpoch: async () => {},
    stopRequested: () => false,
  })
  return losses
}

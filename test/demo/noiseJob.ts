import { type JobHooks, TrainingJob } from '../../demo/worker/trainingJob.js'
import type { Runtime } from '../../src/engine/runtime.js'
import { decodeSafetensors, type SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { pretrainDefaults } from '../../src/train/settings.js'
import { until } from '../movement.js'
import { noisePretraining, tinyFmae } from '../train/noiseRuns.js'

const options = { batchSize: 2, epochs: 1000 }

/** A training of the page on noise, whose steps take milliseconds; six of them are an epoch. */
export function noiseJob(runtime: Runtime, hooks: Partial<JobHooks<object>> = {}): TrainingJob<object> {
  return new TrainingJob({
    name: 'pretrain',
    tell: () => {},
    takeTurn: async () => {},
    make: async () => {
      const { made: run, release } = runtime.own(() => noisePretraining(runtime, tinyFmae, options))
      return { run, info: { config: tinyFmae, settings: pretrainDefaults(options) }, release }
    },
    show: async () => {},
    ...hooks,
  })
}

/** Waits until so many steps are done. */
export async function reaches(job: TrainingJob<object>, step: number): Promise<void> {
  await until(
    `step ${step}`,
    () => job.status.step,
    (done) => done >= step,
  )
}

export function fileOf(parts: readonly Uint8Array[]): SafetensorsFile {
  return decodeSafetensors(Buffer.concat(parts), 'the file')
}

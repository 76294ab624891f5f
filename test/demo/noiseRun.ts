import * as z from 'zod'
import { LifeCycle } from '../../demo/worker/lifeCycle.js'
import { type Run, Training, type TrainingHooks } from '../../demo/worker/training.js'
import type { Runtime } from '../../src/engine/runtime.js'
import { decodeSafetensors, type SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { pretrainDefaults } from '../../src/train/settings.js'
import { until } from '../movement.js'
import { noisePretraining, tinyFmae } from '../train/noiseRuns.js'

const options = { batchSize: 2, epochs: 1000 }

/** A training of the page on noise, whose steps take milliseconds; six of them are an epoch. */
export function noiseRun(
  runtime: Runtime,
  {
    takeTurn = async () => {},
    ...hooks
  }: Partial<TrainingHooks<object> & { takeTurn: () => Promise<void> }> = {},
): Run<object> {
  const training = new Training<object>({
    name: 'pretrain',
    tell: () => {},
    settings: z.object({}),
    make: async () => {
      const { made: run, release } = runtime.own(() => noisePretraining(runtime, tinyFmae, options))
      return { run, info: { config: tinyFmae, settings: pretrainDefaults(options) }, release }
    },
    show: async () => {},
    ...hooks,
  })
  return new LifeCycle(training, { tell: training.hooks.tell, takeTurn })
}

/** Waits until so many steps are done. */
export async function reaches(run: Run<object>, step: number): Promise<void> {
  await until(
    `step ${step}`,
    () => run.status.step,
    (done) => done >= step,
  )
}

/** Makes a run without a step. */
export function prepare(run: Run<object>): Promise<void> {
  return run.replace(() => run.training.make({}))
}

/** The run as a file, when its turn comes. */
export async function download(run: Run<object>): Promise<SafetensorsFile> {
  return fileOf(await run.training.source(run).download())
}

export function fileOf(parts: readonly Uint8Array[]): SafetensorsFile {
  return decodeSafetensors(Buffer.concat(parts), 'the file')
}

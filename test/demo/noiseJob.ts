import { setTimeout as sleep } from 'node:timers/promises'
import { type TrainingHooks, TrainingJob } from '../../demo/worker/training.js'
import type { Runtime } from '../../src/engine/runtime.js'
import { decodeSafetensors, type SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { noisePretraining, tinyFmae } from '../train/noiseRuns.js'

const options = { batchSize: 2, epochs: 1000 }

/** A training of the page on noise, whose steps take milliseconds; six of them are an epoch. */
export function noiseJob(runtime: Runtime, hooks: Partial<TrainingHooks<object>> = {}): TrainingJob<object> {
  return new TrainingJob({
    name: 'pretrain',
    tell: () => {},
    takeTurn: async () => {},
    make: async () => {
      const { made: run, release } = runtime.own(() => noisePretraining(runtime, tinyFmae, options))
      return { run, info: { config: tinyFmae, options, standardise: 'highpass' }, release }
    },
    show: async () => {},
    ...hooks,
  })
}

/** Waits until so many steps are done. */
export async function reaches(run: TrainingJob<object>, step: number): Promise<void> {
  const end = performance.now() + 20_000
  while (run.status.step < step) {
    if (performance.now() > end) throw new Error(`step ${step} not reached, but ${run.status.step}`)
    await sleep(10)
  }
}

export function fileOf(parts: readonly Uint8Array[]): SafetensorsFile {
  return decodeSafetensors(Buffer.concat(parts), 'the file')
}

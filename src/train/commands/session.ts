import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openRuntime } from '../../engine/device.js'
import type { Runtime } from '../../engine/runtime.js'
import { cannotWrite } from '../checkpoint/atomicWrite.node.js'
import { type CheckpointInfo, resumeFrom, saveCheckpoint } from '../checkpoint/checkpointFile.node.js'
import { imageDecoder } from '../data/decodeImage.node.js'
import type { ImageSet } from '../data/imageSet.js'
import { PictureLoader } from '../data/pictureLoader.js'
import type { Standardisation } from '../data/standardise.js'
import type { TrainingRun } from '../loop/trainingRun.js'
import { type StepRecord, stepsPerEpoch, trainLoop } from '../loop/trainLoop.js'
import { Progress } from '../progress.js'
import { RunLog } from '../runLog.node.js'

/** Opens the device and says which; a software adapter is never used silently. */
export async function openDevice(debug = false): Promise<Runtime> {
  const runtime = await openRuntime({ debug })
  console.log(runtime.adapterNote)
  return runtime
}

export function pictureLoader(
  set: ImageSet,
  size: number,
  standardisation: Standardisation,
  cacheMegabytes: number,
): PictureLoader {
  return new PictureLoader({
    set,
    decoder: imageDecoder,
    size,
    standardisation,
    cacheBytes: cacheMegabytes * 2 ** 20,
  })
}

export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true })
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

/** Ctrl-C asks a run to stop after its step; a second one ends the process at once. */
export class StopSignal {
  #requested = false

  constructor() {
    process.once('SIGINT', () => {
      this.#requested = true
      process.stderr.write('\nStopping after this step (Ctrl-C again to end at once) …\n')
    })
  }

  readonly requested = (): boolean => this.#requested
}

export interface ManagedRun {
  readonly run: TrainingRun
  readonly info: CheckpointInfo
  /** Folder of `checkpoint.safetensors` and `log.jsonl`. */
  readonly out: string
  readonly label: string
  readonly resume: boolean
  readonly checkpointEvery: number
  readonly stop: StopSignal
  readonly onEpoch?: (epoch: number) => Promise<void>
}

export interface ManagedResult {
  readonly outcome: 'finished' | 'stopped'
  readonly steps: readonly StepRecord[]
  readonly imagesPerSecond: number
  readonly seconds: number
}

export function checkpointPath(out: string): string {
  return join(out, 'checkpoint.safetensors')
}

/** Trains with a progress bar, a log and checkpoints: after every n-th epoch, at the end and when stopped. */
export async function runManaged(managed: ManagedRun): Promise<ManagedResult> {
  const { run, info, out, stop } = managed
  makeFolder(out)
  const path = checkpointPath(out)
  if (managed.resume) await resumeFrom(path, run, info)
  const log = new RunLog(join(out, 'log.jsonl'))
  const { batchSize, accumulation } = run.settings
  const total = stepsPerEpoch(run.batches, accumulation) * run.schedule.epochs
  const done = run.optimizer.stepCount
  const progress = new Progress({ label: managed.label, total, done, stream: process.stderr })
  const steps: StepRecord[] = []
  const started = performance.now()
  const outcome = await trainLoop({
    runtime: run.runtime,
    optimizer: run.optimizer,
    batches: run.batches,
    batchSize,
    accumulation,
    schedule: run.schedule,
    random: run.random,
    lossNames: run.lossNames,
    microBatch: run.microBatch,
    stopRequested: stop.requested,
    onSteps: (records, imagesPerSecond) => {
      for (const record of records) {
        const { step, epoch, learningRate, losses } = record
        steps.push(record)
        log.write({ step, epoch, learningRate, imagesPerSecond: Math.round(imagesPerSecond), ...losses })
        const images = batchSize * accumulation
        progress.update({
          epoch: Math.ceil(epoch) - 1,
          loss: losses.loss ?? Number.NaN,
          learningRate,
          images,
        })
      }
    },
    onEpoch: async (epoch) => {
      await managed.onEpoch?.(epoch)
      if (epoch % managed.checkpointEvery === 0 || epoch === run.schedule.epochs)
        await saveCheckpoint(path, run, info)
    },
  })
  progress.finish()
  if (outcome === 'stopped') {
    await saveCheckpoint(path, run, info)
    console.log(`Stopped at step ${run.optimizer.stepCount} of ${total}; saved to ${path}.`)
  }
  return {
    outcome,
    steps,
    imagesPerSecond: progress.imagesPerSecond,
    seconds: (performance.now() - started) / 1000,
  }
}

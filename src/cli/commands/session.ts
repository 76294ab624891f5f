import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { StoredType } from '../../../kernels/stored.js'
import { imageDecoder } from '../../data/decodeImage.node.js'
import { ImageLoader } from '../../data/imageLoader.js'
import type { ImageSet } from '../../data/imageSet.js'
import type { Standardisation } from '../../data/standardise.js'
import { openDevice } from '../../engine/device.js'
import { halvesOverflow } from '../../engine/halfOverflow.js'
import type { Runtime } from '../../engine/runtime.js'
import { hasCode, UserError } from '../../errors.js'
import { cannotWrite } from '../../train/checkpoint/atomicWrite.node.js'
import type { CheckpointInfo } from '../../train/checkpoint/checkpoint.js'
import { resumeFrom, saveCheckpoint } from '../../train/checkpoint/checkpointFile.node.js'
import { fitBatch } from '../../train/loop/fitBatch.js'
import { describeMemory } from '../../train/loop/memoryReport.js'
import { settleVariants } from '../../train/loop/settleVariants.js'
import { stepsPerEpoch, trainLoop } from '../../train/loop/trainLoop.js'
import type { RunSettings, TrainingRun } from '../../train/trainingRun.js'
import { Progress } from '../progress.js'
import { RunLog } from '../runLog.node.js'

export interface DeviceOptions {
  readonly debug?: boolean
  /** f16 needs an adapter that has it. */
  readonly precision?: StoredType
}

/**
 * Opens the device and says which; a software adapter is never used silently.
 *
 * @throws UserError if the adapter lacks what `precision` needs.
 */
export async function openAnnouncedDevice({
  debug = false,
  precision = 'f32',
}: DeviceOptions = {}): Promise<Runtime> {
  const runtime = await openDevice({ debug })
  console.log(runtime.adapterNote)
  if (precision === 'f16') await requireHalves(runtime)
  return runtime
}

async function requireHalves(runtime: Runtime): Promise<void> {
  const adapter = runtime.caps.description || runtime.caps.architecture
  const refuse = (why: string) =>
    new UserError(`--precision f16: this adapter (${adapter}) ${why}; train with --precision f32`)
  if (!runtime.caps.f16) throw refuse('does not offer shader-f16')
  if (!(await halvesOverflow(runtime)))
    throw refuse('stores numbers that are too large for f16 as the largest one, which hides overflow')
}

export function imageLoader(
  set: ImageSet,
  size: number,
  standardisation: Standardisation,
  cacheMegabytes: number,
): ImageLoader {
  return new ImageLoader({
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
    if (hasCode(error, 'EEXIST') || hasCode(error, 'ENOTDIR'))
      throw new UserError(`${path}: a file is in the way; expected a folder, or nothing yet`)
    throw cannotWrite(path, error)
  }
}

/** Makes `--out` before any work is done. What an earlier run saved there is never overwritten. */
export function prepareOut(out: string, resume: boolean): void {
  makeFolder(out)
  const path = checkpointPath(out)
  if (resume && !existsSync(path))
    throw new UserError(`--resume: there is no ${path}; start without --resume`)
  if (!resume && existsSync(path))
    throw new UserError(
      `${path} is there already: add --resume to go on with it, or give another folder by --out`,
    )
}

/** A log of the run; one that starts afresh begins it anew. */
export function openLog(out: string, name: string, resume: boolean): RunLog {
  const path = join(out, name)
  try {
    if (!resume) rmSync(path, { force: true })
  } catch (error) {
    throw cannotWrite(path, error)
  }
  return new RunLog(path)
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

/** `fitBatch`, and a line where it changed something. */
export function fittedBatch(
  settings: Pick<RunSettings, 'batchSize' | 'accumulation'>,
  elementsPerImage: number,
  runtime: Runtime,
) {
  const fitted = fitBatch(settings, elementsPerImage, runtime)
  const parts = settings.batchSize / fitted.batchSize
  if (parts > 1) {
    console.log(
      `Batches of ${settings.batchSize} run as ${parts} × ${fitted.batchSize}: this adapter binds at most ${Math.floor(runtime.memory.maxBindingBytes / 2 ** 20)} MiB at once.`,
    )
  }
  return fitted
}

export interface ManagedRun {
  readonly run: TrainingRun
  readonly info: CheckpointInfo
  /** Folder of `checkpoint.safetensors` and `log.jsonl`. */
  readonly out: string
  readonly label: string
  readonly resume: boolean
  readonly checkpointEvery: number
  /** Whether kernel variants are measured before the first step. */
  readonly tune: boolean
  readonly memoryReport?: boolean
  readonly stop: StopSignal
  /** After an epoch is saved, and again where a run resumes at its end. */
  readonly onEpoch?: (epoch: number) => Promise<void>
}

export interface ManagedResult {
  readonly outcome: 'finished' | 'stopped'
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
  const pinned = managed.resume ? await resumeFrom(path, run, info) : null
  const log = openLog(out, 'log.jsonl', managed.resume)
  const { batchSize, accumulation } = run.settings
  const perEpoch = stepsPerEpoch(run.batches, accumulation)
  const total = perEpoch * run.schedule.epochs
  const done = run.optimizer.stepCount
  if (done > 0) console.log(`Resumed at step ${done} of ${total}.`)
  await settleVariants(run, { tune: managed.tune, pinned, say: console.log })
  // An epoch is saved before it is evaluated; the run may have ended in between.
  if (done > 0 && done % perEpoch === 0) await managed.onEpoch?.(done / perEpoch)
  const progress = new Progress({ label: managed.label, total, done, stream: process.stderr })
  const started = performance.now()
  let skippedSteps = 0
  const outcome = await trainLoop({
    run,
    onPlanned: (work) => {
      if (managed.memoryReport) console.log(describeMemory(work))
    },
    stopRequested: stop.requested,
    onSteps: (records, imagesPerSecond) => {
      for (const record of records) {
        const { step, epoch, learningRate, losses } = record
        log.write({ step, epoch, learningRate, imagesPerSecond: Math.round(imagesPerSecond), ...losses })
        skippedSteps = losses.skippedSteps ?? 0
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
      // Saved first: an evaluation that fails, at a damaged test picture, loses nothing.
      if (epoch % managed.checkpointEvery === 0 || epoch === run.schedule.epochs)
        await saveCheckpoint(path, run, info)
      await managed.onEpoch?.(epoch)
    },
  })
  progress.finish()
  if (skippedSteps > 0) {
    console.log(
      `Steps skipped so far, of ${run.optimizer.stepCount}: ${skippedSteps}, whose scaled gradients passed what f16 holds.`,
    )
  }
  if (outcome === 'stopped') {
    await saveCheckpoint(path, run, info)
    console.log(`Stopped at step ${run.optimizer.stepCount} of ${total}; saved to ${path}.`)
  }
  return {
    outcome,
    imagesPerSecond: progress.imagesPerSecond,
    seconds: (performance.now() - started) / 1000,
  }
}

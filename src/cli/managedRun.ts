import type { CheckpointInfo } from '../train/checkpoint/checkpoint.js'
import { resumeFrom, saveCheckpoint } from '../train/checkpoint/checkpointFile.node.js'
import { describeMemory } from '../train/loop/memoryReport.js'
import { settleVariants } from '../train/loop/settleVariants.js'
import { stepsPerEpoch, trainLoop } from '../train/loop/trainLoop.js'
import type { TrainingRun } from '../train/trainingRun.js'
import { Progress } from './progress.js'
import { checkpointPath, makeFolder, openLog } from './runFolder.node.js'
import type { StopSignal } from './stopSignal.js'

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

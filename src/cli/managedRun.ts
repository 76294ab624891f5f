import { UserError } from '../errors.js'
import type { CheckpointInfo } from '../train/checkpoint/checkpoint.js'
import { resumeFrom } from '../train/checkpoint/checkpointFile.node.js'
import { describeMemory } from '../train/loop/memoryReport.js'
import { settleVariants } from '../train/loop/settleVariants.js'
import { DivergedError, type StepRecord, stepsPerEpoch, trainLoop } from '../train/loop/trainLoop.js'
import { learningRateAt } from '../train/optim/schedule.js'
import type { TrainingRun } from '../train/trainingRun.js'
import { KeptCheckpoints, type Score } from './keptCheckpoints.node.js'
import { Progress } from './progress.js'
import { checkpointPath, makeFolder, openLog, removeLeftovers } from './runFolder.node.js'
import type { RunLog } from './runLog.node.js'
import type { StopSignal } from './stopSignal.js'

export interface ManagedRun {
  readonly run: TrainingRun
  readonly info: CheckpointInfo
  /** Folder of `checkpoint.safetensors` and `log.jsonl`; this process holds its lock. */
  readonly out: string
  readonly label: string
  readonly resume: boolean
  readonly checkpointEvery: number
  /** How many recent checkpoints are kept. */
  readonly keep: number
  /** Whether kernels are autotuned before the first step. */
  readonly tune: boolean
  readonly memoryReport?: boolean
  readonly stop: StopSignal
  /**
   * Called after an epoch is saved, and again when a run resumes at its end. `loss` is the epoch's mean. The state
   * with the best score is kept.
   */
  readonly onEpoch?: (epoch: number, loss: number) => Promise<Score | undefined>
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
  removeLeftovers(out)
  const path = checkpointPath(out)
  const earlier = managed.resume ? await resumeFrom(path, run, info) : null
  const checkpoints = new KeptCheckpoints(out, run, info, managed.keep)
  const log = openLog(out, 'log.jsonl', managed.resume)
  const perEpoch = stepsPerEpoch(run.batches, run.settings.accumulation)
  const { epochs } = run.schedule
  const total = perEpoch * epochs
  const done = run.optimizer.stepCount
  if (done > 0) console.log(`Resumed at step ${done} of ${total}.`)
  if (earlier) sayIfLonger(run, earlier.epochs, done / perEpoch)
  await settleVariants(run, { tune: managed.tune, pinned: earlier?.variants ?? null, say: console.log })
  const losses = new EpochLosses(log, perEpoch, done)
  const afterEpoch = async (epoch: number) => {
    const score = await managed.onEpoch?.(epoch, losses.mean(epoch))
    if (score) await checkpoints.offer(score, epoch)
  }
  // An epoch is saved before it is evaluated; the run may have stopped in between.
  if (done > 0 && done % perEpoch === 0) await afterEpoch(done / perEpoch)
  const progress = new Progress({ label: managed.label, total, done, stream: process.stderr })
  const started = performance.now()
  let skippedSteps = 0
  const onSteps = (records: readonly StepRecord[], imagesPerSecond: number) => {
    for (const record of records) {
      const { step, epoch, learningRate, losses: now } = record
      log.write({ step, epoch, learningRate, imagesPerSecond: Math.round(imagesPerSecond), ...now })
      skippedSteps = now.skippedSteps ?? 0
      const loss = now.loss ?? Number.NaN
      losses.add(step, loss)
      const images = run.settings.batchSize * run.settings.accumulation
      progress.update({ images, training: { epoch: Math.ceil(epoch) - 1, loss, learningRate } })
    }
  }
  const onEpoch = async (epoch: number) => {
    // Saved first: an evaluation that fails, for example at a damaged test image, loses nothing.
    if (epoch % managed.checkpointEvery === 0 || epoch === epochs) await checkpoints.save()
    // A stopping run skips the evaluation; the resumed run does it.
    if (epoch === epochs || !stop.requested()) await afterEpoch(epoch)
  }
  const outcome = await trainLoop({
    run,
    onPlanned: (work) => {
      if (managed.memoryReport) console.log(describeMemory(work))
    },
    stopRequested: stop.requested,
    onSteps,
    onEpoch,
  }).catch((error: unknown) => {
    throw error instanceof DivergedError
      ? new UserError(`${error.message}. ${checkpoints.describe()}`)
      : error
  })
  progress.finish()
  if (skippedSteps > 0) {
    console.log(
      `${skippedSteps} of ${run.optimizer.stepCount} steps skipped so far, because scaled gradients overflowed f16.`,
    )
  }
  if (outcome === 'stopped') {
    await checkpoints.save()
    console.log(`Stopped at step ${run.optimizer.stepCount} of ${total}; saved to ${path}.`)
  }
  return {
    outcome,
    imagesPerSecond: progress.imagesPerSecond,
    seconds: (performance.now() - started) / 1000,
  }
}

/** More epochs stretch the schedule, so the learning rate leaves its previous curve. */
function sayIfLonger({ schedule }: TrainingRun, epochs: number | undefined, epoch: number): void {
  if (epochs === undefined || epochs >= schedule.epochs) return
  const [before, now] = [{ ...schedule, epochs }, schedule].map((each) =>
    learningRateAt(each, epoch).toExponential(2),
  )
  console.log(
    `Extended from ${epochs} to ${schedule.epochs} epochs. The learning rate now follows the longer schedule: ${now} instead of ${before}.`,
  )
}

/** Mean loss of an epoch, including its steps before the run resumed. */
class EpochLosses {
  readonly #losses = new Map<number, number>()

  constructor(
    log: RunLog,
    readonly perEpoch: number,
    done: number,
  ) {
    for (const { step, loss } of done > 0 ? log.read() : [])
      if (Number(step) > done - perEpoch && Number(step) <= done) this.add(Number(step), Number(loss))
  }

  add(step: number, loss: number): void {
    this.#losses.set(step, loss)
    this.#losses.delete(step - this.perEpoch)
  }

  mean(epoch: number): number {
    const end = epoch * this.perEpoch
    const own = [...this.#losses].filter(([step]) => step > end - this.perEpoch && step <= end)
    return own.reduce((sum, [, loss]) => sum + loss, 0) / own.length
  }
}

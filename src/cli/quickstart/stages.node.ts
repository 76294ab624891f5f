import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { StoredType } from '../../../kernels/stored.js'
import type { MainJobData } from '../../data/faces.js'
import { auTargets } from '../../data/folds.js'
import type { ImageLoader } from '../../data/imageLoader.js'
import { imagesDigest } from '../../data/imagesDigest.js'
import type { Runtime } from '../../engine/runtime.js'
import type { FineTuneName } from '../../report/reportSchema.js'
import { resumeFrom } from '../../train/checkpoint/checkpointFile.node.js'
import { readSafetensors } from '../../train/checkpoint/safetensorsFile.node.js'
import { classify } from '../../train/loop/evaluation.js'
import type { FineTuning } from '../../train/loop/fineTuning.js'
import { Pretraining } from '../../train/loop/pretraining.js'
import { settleVariants } from '../../train/loop/settleVariants.js'
import { makeFineTuning } from '../../train/makeFineTuning.js'
import { type ActionUnitMetrics, actionUnitMetrics } from '../../train/metrics/actionUnitMetrics.js'
import { fineTuneDefaults, pretrainDefaults } from '../../train/settings.js'
import { type ManagedRun, runManaged } from '../managedRun.js'
import { checkpointPath } from '../runFolder.node.js'
import { RunLog } from '../runLog.node.js'
import type { StopSignal } from '../stopSignal.js'
import type { Budget } from './budgets.js'

/** Images per evaluation batch. */
const EVALUATION_BATCH = 64

export interface MainJob {
  readonly runtime: Runtime
  readonly budget: Budget
  readonly data: MainJobData
  readonly loader: ImageLoader
  readonly seed: number
  readonly precision: StoredType
  readonly out: string
  readonly resume: boolean
  readonly tune: boolean
  readonly stop: StopSignal
}

/** What a stage of the job logged: one row per step. */
export interface StageLog {
  readonly steps: readonly Readonly<Record<string, number>>[]
  readonly imagesPerSecond: number
  readonly seconds: number
}

/** The user stopped the job; it can be resumed. */
export class Stopped extends Error {}

/**
 * Ends the job here if a stop was requested. Work after the last stage is not saved; --resume repeats it. A signal that
 * arrives during a long computation is handled in the second turn of the event loop, after the pending work of the first.
 */
export async function stopIfRequested({ stop }: MainJob): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
  if (stop.requested()) throw new Stopped()
}

export function stageCheckpoint(folder: string, stage: string): string {
  return checkpointPath(join(folder, stage))
}

export async function pretrainStage(job: MainJob): Promise<{ run: Pretraining; log: StageLog }> {
  const { runtime, budget, data, loader, seed, precision } = job
  const settings = pretrainDefaults({ ...budget.pretrain, seed, precision })
  const run = new Pretraining(runtime, budget.model, settings, loader, data.pretrain)
  const info = {
    config: budget.model,
    settings,
    images: await imagesDigest(data.set, data.pretrain),
  }
  const log = await stage(job, { run, info, label: 'pretrain' })
  return { run, log }
}

export interface FineTuned {
  readonly run: FineTuning
  readonly log: StageLog
  readonly lambda: number
  readonly unseen: ActionUnitMetrics
  readonly seen: ActionUnitMetrics
  readonly f1PerEpoch: readonly number[]
}

/** One of the three fine-tunings; `from` is the FMAE checkpoint, or null to start from scratch. */
export async function fineTuneStage(
  job: MainJob,
  name: FineTuneName,
  lambda: number,
  from: string | null,
): Promise<FineTuned> {
  const { runtime, budget, data, loader, seed, precision } = job
  const { run, info } = await makeFineTuning(
    runtime,
    { ...data, loader },
    {
      settings: fineTuneDefaults({ ...budget.finetune, seed, lambda, precision, testFold: data.testFold }),
      encoder: budget.model,
      start: from === null ? null : { file: await readSafetensors(from), path: from },
      say: () => {},
    },
  )
  const evaluations = new RunLog(join(job.out, name, 'evaluation.jsonl'))
  const evaluate = (indices: Uint32Array) => evaluateAus(run, job, indices)
  const perEpoch: ActionUnitMetrics[] = []
  const log = await stage(job, {
    run,
    info,
    label: name,
    onEpoch: async (epoch) => {
      const metrics = await evaluate(data.unseen)
      perEpoch.push(metrics)
      const { f1At05, f1Best, threshold, auc } = metrics
      evaluations.write({ epoch, f1At05, f1Best, threshold, auc })
      return undefined
    },
  })
  // A stage reused from an earlier job was not evaluated in this one.
  const unseen = perEpoch.at(-1) ?? (await evaluate(data.unseen))
  const seen = await evaluate(data.seen)
  const f1PerEpoch = latest(evaluations, 'epoch').map(({ f1At05 }) => f1At05)
  return { run, log, lambda, unseen, seen, f1PerEpoch }
}

async function evaluateAus(run: FineTuning, { runtime, loader, data }: MainJob, indices: Uint32Array) {
  const { auLogits } = await classify(runtime, run.model, loader, indices, EVALUATION_BATCH)
  return actionUnitMetrics(auLogits, auTargets(loader.set, indices, data.aus), data.aus.length)
}

/** Trains a stage, or reuses it if an earlier, stopped job has finished it. */
async function stage(
  job: MainJob,
  managed: Pick<ManagedRun, 'run' | 'info' | 'label' | 'onEpoch'>,
): Promise<StageLog> {
  const out = join(job.out, managed.label === 'pretrain' ? 'fmae-pretrain' : managed.label)
  const resume = job.resume && existsSync(checkpointPath(out))
  const summary = new RunLog(join(out, 'stage.jsonl'))
  const earlier = resume ? summary.read().at(-1) : undefined
  if (earlier) {
    const { variants: pinned } = await resumeFrom(checkpointPath(out), managed.run, managed.info)
    await settleVariants(managed.run, { tune: job.tune, pinned, say: console.log })
    console.log(`${checkpointPath(out)}: already finished, reused`)
  } else {
    const { outcome, imagesPerSecond, seconds } = await runManaged({
      ...managed,
      out,
      resume,
      checkpointEvery: 1,
      keep: 1,
      tune: job.tune,
      stop: job.stop,
    })
    if (outcome === 'stopped') throw new Stopped()
    summary.write({ imagesPerSecond, seconds })
  }
  if (job.stop.requested()) throw new Stopped()
  const { imagesPerSecond, seconds } = summary.read().at(-1) as Record<string, number>
  return {
    steps: latest(new RunLog(join(out, 'log.jsonl')), 'step'),
    imagesPerSecond: imagesPerSecond,
    seconds: seconds,
  }
}

/** Rows of a log by `key`, the latest of each: a resumed run may repeat steps after its checkpoint. */
function latest(log: RunLog, key: string): Record<string, number>[] {
  const rows = new Map(log.read().map((row) => [row[key], row as Record<string, number>]))
  return [...rows.values()].sort((a, b) => a[key] - b[key])
}

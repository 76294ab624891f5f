/** Whole training steps as training runs them: captured and replayed, on noise images. */

import type { Batch } from '../src/data/batches.js'
import { openDevice } from '../src/engine/device.js'
import { Profiler } from '../src/engine/profiler.js'
import type { Runtime } from '../src/engine/runtime.js'
import { classifierParameters } from '../src/model/auClassifier.js'
import type { FmaeConfig } from '../src/model/config.js'
import { fmaeParameters } from '../src/model/fmae.js'
import { presets } from '../src/model/presets.js'
import { MicroBatches } from '../src/train/loop/microBatches.js'
import { settleVariants } from '../src/train/loop/settleVariants.js'
import type { TrainingRun } from '../src/train/trainingRun.js'
import type { Ceilings } from './ceilings.js'
import { keptInFineTuning, keptInPretraining, parameterBytes } from './minimumMemory.js'
import { noiseClassifier, noiseFineTuning, noisePretraining } from './noise.js'
import { progress } from './progress.js'
import type { StepKernel, StepRow } from './schema.js'
import { type Effort, median, summary, timeWork } from './timing.js'

interface StepCase {
  readonly name: string
  readonly title: string
  readonly config: FmaeConfig
  readonly kind: 'pretraining' | 'fineTuning'
  /** Without it, the recipe's. */
  readonly batchSize?: number
  readonly quick: boolean
}

/** The batches of ViT-S are small enough for a software adapter. */
const cases: readonly StepCase[] = [
  { name: 'fmaeNano', title: 'FMAE nano', config: presets.nano, kind: 'pretraining', quick: true },
  { name: 'iatNano', title: 'FMAE-IAT nano', config: presets.nano, kind: 'fineTuning', quick: true },
  {
    name: 'fmaeVitS',
    title: 'FMAE ViT-S',
    config: presets['vit-s'],
    kind: 'pretraining',
    batchSize: 4,
    quick: false,
  },
  {
    name: 'iatVitS',
    title: 'FMAE-IAT ViT-S',
    config: presets['vit-s'],
    kind: 'fineTuning',
    batchSize: 4,
    quick: false,
  },
]

/** Rows by the name of the case. */
export async function measureSteps(
  ceilings: Ceilings,
  effort: Effort,
  quick: boolean,
): Promise<Record<string, StepRow>> {
  const rows: Record<string, StepRow> = {}
  for (const stepCase of cases) {
    if (quick && !stepCase.quick) continue
    progress(`${stepCase.title}, ${stepCase.kind}`)
    // A device for each: buffers of the one before must not count.
    const runtime = await openDevice()
    rows[stepCase.name] = await measureStep(runtime, stepCase, ceilings, effort)
    runtime.close()
  }
  return rows
}

async function measureStep(
  runtime: Runtime,
  stepCase: StepCase,
  ceilings: Ceilings,
  effort: Effort,
): Promise<StepRow> {
  const { title, kind, config } = stepCase
  const changes = stepCase.batchSize === undefined ? {} : { batchSize: stepCase.batchSize }
  const run =
    kind === 'pretraining'
      ? noisePretraining(runtime, config, changes)
      : noiseFineTuning(runtime, config, changes)
  await settleVariants(run, { tune: true, pinned: null, say: (line) => console.log(`${title}: ${line}`) })
  runtime.memory.resetPeak()
  const batch = await run.batches.next()
  const step = stepOf(run, new MicroBatches(run), batch)
  const timing = summary(await timeWork(runtime, step, effort))
  const { dispatches, submits, hostMs, uploadMs } = await hostCost(runtime, step, timing.ms)
  const kernels = runtime.caps.timestampQuery ? await profile(runtime, step, ceilings, effort) : null
  return {
    title: `${title}, ${kind === 'pretraining' ? 'pretraining' : 'fine-tuning'}`,
    batch: run.settings.batchSize,
    ...timing,
    imagesPerSecond: (1000 * run.settings.batchSize) / timing.ms,
    kernelMs: kernels ? kernels.reduce((sum, { ms }) => sum + ms, 0) : null,
    hostMs,
    uploadMs,
    waitMs: Math.max(0, timing.ms - hostMs),
    dispatches,
    submits,
    hostMicrosecondsPerDispatch: (1000 * (hostMs - uploadMs)) / dispatches,
    memory: {
      peakBytes: runtime.memory.usage.peakBufferBytes,
      minimumBytes: minimumOf(stepCase, run.settings.batchSize),
    },
    kernels: (kernels ?? []).slice(0, 12),
  }
}

function minimumOf({ kind, config }: StepCase, batch: number): number {
  if (kind === 'pretraining') return parameterBytes(fmaeParameters(config)) + keptInPretraining(config, batch)
  const classifier = noiseClassifier(config)
  return parameterBytes(classifierParameters(classifier)) + keptInFineTuning(classifier, batch)
}

/** One step as `trainLoop` does it; returns how many milliseconds the upload of the batch took the host. */
function stepOf(run: TrainingRun, work: MicroBatches, batch: Batch): () => number {
  return () => {
    run.optimizer.prepare(1e-3)
    run.random.setStep(run.optimizer.stepCount)
    const start = performance.now()
    run.upload(batch)
    const uploadMs = performance.now() - start
    work.queue({ first: true, last: true }, () => undefined)
    run.runtime.flush()
    return uploadMs
  }
}

/** As many as `trainLoop` may queue before it waits. The first ones after a wait find cold caches. */
const STEPS_IN_A_ROW = 25
/** Steps of a big model take seconds each: no more than fit into this time, but enough for a median. */
const HOST_SECONDS = 30
const FEWEST_STEPS = 7

/** What a step costs the host in the steady state: medians of steps queued one after the other. */
async function hostCost(runtime: Runtime, step: () => number, stepMs: number) {
  const { counters } = runtime
  const steps = Math.max(FEWEST_STEPS, Math.min(STEPS_IN_A_ROW, Math.floor((1000 * HOST_SECONDS) / stepMs)))
  const each = Array.from({ length: steps }, () => {
    const before = { ...counters }
    const start = performance.now()
    const uploadMs = step()
    const hostMs = performance.now() - start
    const dispatches = counters.dispatches - before.dispatches
    return { dispatches, submits: counters.submits - before.submits, hostMs, uploadMs }
  })
  await runtime.device.queue.onSubmittedWorkDone()
  return {
    dispatches: median(each.map(({ dispatches }) => dispatches)),
    submits: median(each.map(({ submits }) => submits)),
    hostMs: median(each.map(({ hostMs }) => hostMs)),
    uploadMs: median(each.map(({ uploadMs }) => uploadMs)),
  }
}

async function profile(
  runtime: Runtime,
  step: () => void,
  { fmaGflops, copyGBs }: Ceilings,
  { rounds }: Effort,
): Promise<StepKernel[]> {
  runtime.profiler = new Profiler(runtime.device)
  const times = new Map<string, StepKernel[]>()
  for (let round = 0; round < rounds; round++) {
    step()
    runtime.flush()
    for (const {
      name,
      dispatches,
      milliseconds: ms,
      gflops,
      gigabytesPerSecond,
    } of await runtime.profiler.rows()) {
      const percentOfCeiling = 100 * Math.max(gflops / fmaGflops, gigabytesPerSecond / copyGBs)
      times.set(name, [...(times.get(name) ?? []), { name, dispatches, ms, gflops, percentOfCeiling }])
    }
  }
  runtime.profiler = null
  const middle = (rows: StepKernel[]) => rows.sort((a, b) => a.ms - b.ms)[rows.length >> 1]
  return [...times.values()].map(middle).sort((a, b) => b.ms - a.ms)
}

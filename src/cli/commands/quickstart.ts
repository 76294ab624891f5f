import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { mainJobData } from '../../data/faces.js'
import { auTargets } from '../../data/folds.js'
import { UserError } from '../../errors.js'
import { count } from '../../report/format.js'
import { summaryText } from '../../report/printSummary.js'
import type { Curve, ReportInput, Timing } from '../../report/reportInput.js'
import type { FineTuneName, FineTuneReport, Report } from '../../report/reportSchema.js'
import { findWarnings } from '../../report/verdicts.js'
import { writeReport } from '../../report/writeReport.node.js'
import { baseRateEntropy, binaryEntropy } from '../../train/metrics/actionUnitMetrics.js'
import { reconstruct } from '../../train/reconstructions.js'
import type { QuickstartOptions } from '../options.js'
import { type Budget, type BudgetName, budgets, defaultBudget } from '../quickstart/budgets.js'
import { openBundledFaces } from '../quickstart/faces.node.js'
import { analyseIdentity, type IdentityAnalysis } from '../quickstart/identity.js'
import {
  type FineTuned,
  fineTuneStage,
  type MainJob,
  pretrainStage,
  Stopped,
  stageCheckpoint,
  stopIfRequested,
} from '../quickstart/stages.node.js'
import { keepFolder, tryToKeep } from '../runFolder.node.js'
import { StopSignal } from '../stopSignal.js'
import { imageLoader, openAnnouncedDevice } from './session.js'

/** Options with a budget. */
type Options = QuickstartOptions & { readonly budget: BudgetName }
type Pretrained = Awaited<ReturnType<typeof pretrainStage>>
type Tuned = Readonly<Record<FineTuneName, FineTuned>>

/** Held-out images shown in the report. */
const SHOWN = 8

/** `quickstart`, the main job: FMAE, three fine-tunings, identity probe, report. Returns the exit code. */
export async function quickstart(given: QuickstartOptions): Promise<number> {
  const data = mainJobData(await openBundledFaces(), given.testFold, given.seed)
  const runtime = await openAnnouncedDevice(given)
  const options: Options = { ...given, budget: given.budget ?? defaultBudget(runtime.caps) }
  const stop = new StopSignal(options.maxMinutes)
  const out = runFolder(options)
  const budget: Budget = budgets[options.budget]
  const loader = imageLoader(data.set, budget.model.imageSize, 'highpass', 1024)
  const { seed, resume, tune, precision } = options
  const job: MainJob = { runtime, budget, data, loader, seed, precision, out, resume, tune, stop }
  try {
    await runMainJob(job, options)
    return 0
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
    console.log(`To continue, run the same command with --resume --out ${out}`)
    return 130
  } finally {
    runtime.close()
  }
}

/**
 * The folder in `--out`, which may contain a run only with `--resume`. The default is the first free one of
 * `runs/short-seed0`, `runs/short-seed0-2`, …, or with `--resume` the last existing one. This process locks it.
 */
function runFolder({ out, resume, budget, seed }: Options): string {
  const taken = (folder: string) => existsSync(stageCheckpoint(folder, 'fmae-pretrain'))
  if (out !== undefined) {
    if (resume && !taken(out)) throw new UserError(`--resume: ${out} contains no run; start without --resume`)
    keepFolder(out)
    if (!resume && taken(out))
      throw new UserError(
        `${out} already contains a run; add --resume to continue it, or choose another folder with --out`,
      )
    return out
  }
  const name = (run: number) => join('runs', `${budget}-seed${seed}${run > 1 ? `-${run}` : ''}`)
  let run = 1
  while (taken(name(run))) run++
  if (resume) {
    if (run > 1) run--
    keepFolder(name(run))
  } else while (tryToKeep(name(run)) !== true || taken(name(run))) run++
  return name(run)
}

async function runMainJob(job: MainJob, options: Options): Promise<void> {
  const { data, out } = job
  const started = performance.now()
  const clock = new Stopwatch()
  console.log(
    `Budget ${options.budget}. Training on ${data.trainFolds.join(' and ')}, testing on ${data.testFold}. Run folder: ${out}`,
  )
  const pretrained = await pretrainStage(job)
  clock.lap('FMAE pretraining')
  const samples = await reconstruct(job.runtime, pretrained.run.model, job.loader, shownImages(job), job.seed)
  const encoder = stageCheckpoint(out, 'fmae-pretrain')
  const lambda = options.lambda ?? job.budget.lambda
  const tuned: Tuned = {
    scratch: await fineTuneStage(job, 'scratch', 0, null),
    fmae: await fineTuneStage(job, 'fmae', 0, encoder),
    'fmae-iat': await fineTuneStage(job, 'fmae-iat', lambda, encoder),
  }
  clock.lap('Three fine-tunings and evaluations')
  const identity = await analyseIdentity(job, tuned.fmae, tuned['fmae-iat'])
  await stopIfRequested(job)
  clock.lap('Identity probes and feature maps')
  const report = makeReport(job, pretrained, tuned, identity, (performance.now() - started) / 1000)
  const input = reportInput(job, options, report, pretrained, tuned, identity, clock.laps, samples)
  const { htmlPath } = await writeReport(out, input)
  console.log(`\n${summaryText(input, htmlPath)}`)
}

/** Images of different test subjects. */
function shownImages({ data }: MainJob): number[] {
  const firsts = new Map(Array.from(data.unseen, (index) => [data.set.sample(index).subject, index]))
  return [...firsts.values()].slice(0, SHOWN)
}

function makeReport(
  { runtime, budget, data, seed }: MainJob,
  { run, log }: Pretrained,
  tuned: Tuned,
  identity: IdentityAnalysis,
  seconds: number,
): Report {
  const { vendor, architecture, description, software } = runtime.caps
  const losses = log.steps.map(({ loss }) => loss)
  return {
    adapter: { vendor, architecture, description, software },
    seed,
    model: {
      preset: 'nano',
      parameters: run.parameters.parameters.reduce((sum, { size }) => sum + size, 0),
    },
    data: { images: data.inFolds.length, subjects: data.subjects.length, aus: data.aus.length },
    pretrain: {
      epochs: budget.pretrain.epochs,
      steps: losses.length,
      lossFirst: losses[0],
      lossLast: mean(losses.slice(-20)),
      imagesPerSecond: log.imagesPerSecond,
      seconds: log.seconds,
    },
    finetune: Object.entries(tuned).map(([name, result]) =>
      fineTuneReport(name as FineTuneName, result, data.aus),
    ),
    identityProbe: identity.probe,
    seconds,
  }
}

function fineTuneReport(name: FineTuneName, result: FineTuned, aus: readonly number[]): FineTuneReport {
  const { unseen, seen, f1PerEpoch, lambda, log } = result
  const { f1At05, f1Best, threshold } = unseen
  const byAu = <T>(values: readonly T[]) => Object.fromEntries(aus.map((au, i) => [String(au), values[i]]))
  return {
    name,
    lambda,
    f1At05,
    f1Best,
    threshold,
    auc: unseen.auc!,
    aucSeen: seen.auc!,
    f1PerAu: byAu(unseen.f1PerAu),
    aucPerAu: byAu(unseen.aucPerAu),
    f1PerEpoch: [...f1PerEpoch],
    seconds: log.seconds,
  }
}

function reportInput(
  job: MainJob,
  options: Options,
  report: Report,
  pretrained: Pretrained,
  tuned: Tuned,
  identity: IdentityAnalysis,
  timings: readonly Timing[],
  samples: ReportInput<Uint8Array>['reconstructions']['samples'],
): ReportInput<Uint8Array> {
  const { data, budget } = job
  const unseenTargets = auTargets(data.set, data.unseen, data.aus)
  const lossCurves = {
    pretrain: curve(pretrained.log.steps, 'loss'),
    finetune: Object.fromEntries(
      Object.entries(tuned).map(([name, { log, lambda }]) => [
        name,
        { au: curve(log.steps, lambda > 0 ? 'au' : 'loss'), id: lambda > 0 ? curve(log.steps, 'id') : [] },
      ]),
    ),
  }
  const constants = {
    baseRateEntropy: baseRateEntropy(auTargets(data.set, data.train, data.aus), data.aus.length),
    identityConstant: binaryEntropy(1 / data.subjects.length),
  }
  return {
    report,
    lossCurves,
    ...constants,
    prevalence: prevalence(unseenTargets, data.aus),
    reconstructions: {
      size: budget.model.imageSize,
      samples,
      caption: `Subjects of ${data.testFold}, held out from all training; ${100 * budget.model.maskRatio} % of the patches are masked. The images show the network's input, which is high-pass filtered.`,
    },
    embedding: identity.embedding,
    timings,
    budget: options.budget,
    warnings: findWarnings({ report, lossCurves, ...constants }),
    command: commandLine(options),
    versions: { node: process.version, webgpu: webgpuVersion() },
    date: new Date().toISOString(),
    folds: foldsText(job),
    notes: [],
  }
}

function webgpuVersion(): string {
  return (createRequire(import.meta.url)('webgpu/package.json') as { version: string }).version
}

function foldsText({ data }: MainJob): string {
  const { train, seen, unseen, pretrain, trainFolds, testFold } = data
  return `Trained on ${count(train.length)} images of ${trainFolds.join(' and ')}. Seen: ${count(seen.length)} held-out images of the same subjects. Unseen: the ${count(unseen.length)} images of ${testFold}. FMAE was pretrained on ${count(pretrain.length)} images, none of a test subject.`
}

function commandLine({ budget, seed, lambda, testFold, precision }: Options): string {
  const flags = [`--budget ${budget}`, `--seed ${seed}`]
  if (lambda !== undefined) flags.push(`--lambda ${lambda}`)
  if (testFold !== 'fold3') flags.push(`--test-fold ${testFold}`)
  if (precision !== 'f32') flags.push(`--precision ${precision}`)
  return `node dist/train.js quickstart ${flags.join(' ')}`
}

/** At most about 400 points, each a mean over neighboring steps, to keep the page small. */
function curve(steps: readonly Readonly<Record<string, number>>[], name: string): Curve {
  const width = Math.max(1, Math.ceil(steps.length / 400))
  const points: [number, number][] = []
  for (let start = 0; start < steps.length; start += width) {
    const part = steps.slice(start, start + width)
    points.push([part.at(-1)!.step, mean(part.map((row) => row[name]))])
  }
  return points
}

function prevalence(targets: Float32Array, aus: readonly number[]): Record<string, number> {
  const rows = targets.length / aus.length
  const rates = aus.map((_, i) => {
    let present = 0
    for (let row = 0; row < rows; row++) present += targets[row * aus.length + i]
    return present / rows
  })
  return Object.fromEntries(aus.map((au, i) => [String(au), rates[i]]))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Seconds between laps. */
class Stopwatch {
  readonly laps: Timing[] = []
  #since = performance.now()

  lap(name: string): void {
    const now = performance.now()
    this.laps.push({ name, seconds: (now - this.#since) / 1000 })
    this.#since = now
  }
}

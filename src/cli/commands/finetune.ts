import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cannotWrite } from '../../atomicWrite.node.js'
import {
  auTargets,
  type Fold,
  makeFolds,
  splitByFold,
  splitPerSubject,
  subjectsOf,
} from '../../data/folds.js'
import { foldsDigest } from '../../data/foldsDigest.js'
import type { ImageSet } from '../../data/imageSet.js'
import { imagesDigest } from '../../data/imagesDigest.js'
import { openImageSet } from '../../data/openImageSet.node.js'
import { UserError } from '../../errors.js'
import type { ClassifierConfig } from '../../model/config.js'
import { largestClassifierActivation } from '../../model/largestActivation.js'
import type { CheckpointInfo } from '../../train/checkpoint/checkpoint.js'
import { classify } from '../../train/loop/evaluation.js'
import { FineTuning } from '../../train/loop/fineTuning.js'
import { type ActionUnitMetrics, actionUnitMetrics } from '../../train/metrics/actionUnitMetrics.js'
import { vitConfig } from '../../train/modelConfig.js'
import type { FineTuneOptions } from '../../train/options.js'
import { runManaged } from '../managedRun.js'
import { checkpointPath, openLog, prepareOut } from '../runFolder.node.js'
import { StopSignal } from '../stopSignal.js'
import { auTable } from './auTable.js'
import { parameterCount } from './pretrain.js'
import { fittedBatch, imageLoader, openAnnouncedDevice } from './session.js'
import { startFrom } from './startFrom.js'

/** `finetune`: AU training on all folds but one, tested on that one after every epoch. Returns the exit code. */
export async function finetune(options: FineTuneOptions): Promise<number> {
  const set = openImageSet(options.data, {
    root: options.root,
    subjectFrom: options.subjectFrom,
  })
  const aus = options.aus ?? set.aus
  if (!aus) throw new UserError(`${options.data}: no AU labels; fine-tuning needs a set with labels`)
  if (aus.length === 0) throw new UserError(`${options.data}: no label names an action unit; expected some`)
  const parts = chooseParts(set, options)
  const { subjects } = parts
  const config: ClassifierConfig = { ...vitConfig(options), ...heads(options, aus.length, subjects.length) }
  // A test picture without labels shows now, not after an epoch.
  auTargets(set, parts.test, aus)
  prepareOut(options.out, options.resume)
  const runtime = await openAnnouncedDevice(options)
  const loader = imageLoader(set, config.imageSize, options.standardise, options.cacheMegabytes)
  const batches = fittedBatch(options, largestClassifierActivation(config), runtime)
  const settings = { ...options, ...batches }
  const run = new FineTuning(runtime, config, settings, loader, parts.train, aus, subjects)
  const info: CheckpointInfo = {
    config,
    options,
    aus,
    standardise: options.standardise,
    images: await imagesDigest(set, parts.train),
    folds: await foldsDigest(set, parts.folds),
  }
  // A resumed run takes its weights from its own checkpoint.
  if (options.from && !options.resume) await startFrom(options.from, run, info)
  const name = options.lambda > 0 ? `FMAE-IAT, lambda ${options.lambda}` : 'AU classifier'
  console.log(
    `${name}: ${parameterCount(run)} parameters, AUs ${aus.join(', ')}; ${parts.train.length} pictures to train on, ${parts.test.length} of fold ${parts.testFold} to test on`,
  )
  const log = openLog(options.out, 'evaluation.jsonl', options.resume)
  const measure = async (indices: Uint32Array) => {
    const { auLogits } = await classify(runtime, run.model, loader, indices, batches.batchSize)
    return actionUnitMetrics(auLogits, auTargets(set, indices, aus), aus.length)
  }
  const measured: { last?: ActionUnitMetrics } = {}
  const { outcome } = await runManaged({
    run,
    info,
    out: options.out,
    label: 'finetune',
    resume: options.resume,
    checkpointEvery: options.checkpointEvery,
    tune: options.tune,
    memoryReport: options.memoryReport,
    keep: options.keep,
    stop: new StopSignal(options.maxMinutes),
    onEpoch: async (epoch) => {
      if (epoch % options.evaluateEvery !== 0 && epoch !== options.epochs) return undefined
      measured.last = await measure(parts.test)
      const { f1At05, f1Best, threshold, auc, loss, baseRateEntropy } = measured.last
      log.write({ epoch, f1At05, f1Best, threshold, auc, loss, baseRateEntropy })
      console.log(
        `epoch ${epoch}: F1 ${percent(f1At05)} at 0.5, ${percent(f1Best)} at ${threshold.toFixed(2)}, AUC ${auc?.toFixed(3) ?? 'undefined'}`,
      )
      return { name: 'f1At05', value: f1At05, better: 'higher' }
    },
  })
  if (outcome === 'stopped') console.log('To go on: the same command with --resume')
  else {
    const seen = parts.seen.length > 0 ? await measure(parts.seen) : null
    report(options, aus, parts, measured.last!, seen)
  }
  runtime.close()
  return outcome === 'stopped' ? 130 : 0
}

interface Parts {
  readonly train: Uint32Array
  readonly test: Uint32Array
  /** Pictures of training people kept out of training; empty unless asked for. */
  readonly seen: Uint32Array
  readonly testFold: string
  readonly folds: readonly Fold[]
  /** Identity classes: the people of all folds, test people included as in the reference; others have no part. */
  readonly subjects: readonly string[]
}

/** Subject-exclusive: no picture of a test person is trained on. */
function chooseParts(set: ImageSet, options: FineTuneOptions): Parts {
  const known = subjectsOf(set)
  if (known.length === 0)
    throw new UserError(
      `${options.data}: the labels name no people, who must be apart in training and test; expected "subject" in each label, or --subject-from for label files`,
    )
  const folds = set.folds ?? makeFolds(known, options.folds, options.seed)
  const testFold = options.testFold ?? folds.at(-1)!.name
  const inFolds = new Set(folds.flatMap((fold) => fold.subjects))
  const subjects = known.filter((subject) => inFolds.has(subject))
  const used = trainingFolds(folds, testFold, options.trainOn)
  const { train, test } = splitByFold(set, used, testFold)
  if (options.seenFraction === 0) return { train, test, seen: new Uint32Array(0), testFold, folds, subjects }
  const { first, rest } = splitPerSubject(set, train, 1 - options.seenFraction, options.seed)
  return { train: first, test, seen: rest, testFold, folds, subjects }
}

function trainingFolds(
  folds: readonly Fold[],
  testFold: string,
  wanted: readonly string[] | undefined,
): readonly Fold[] {
  for (const name of [testFold, ...(wanted ?? [])]) {
    if (!folds.some((fold) => fold.name === name)) {
      throw new UserError(
        `no fold is called "${name}"; there are ${folds.map((fold) => fold.name).join(', ')}`,
      )
    }
  }
  if (wanted?.includes(testFold)) throw new UserError(`--train-on names the test fold ${testFold}`)
  return wanted ? folds.filter(({ name }) => name === testFold || wanted.includes(name)) : folds
}

function heads({ lambda, idLoss, idHeadLayers, dropPath }: FineTuneOptions, aus: number, subjects: number) {
  return { aus, subjects, lambda, idLoss, idHeadLayers, dropPath }
}

function report(
  options: FineTuneOptions,
  aus: readonly number[],
  { testFold }: Parts,
  unseen: ActionUnitMetrics,
  seen: ActionUnitMetrics | null,
): void {
  const file = join(options.out, 'metrics.json')
  try {
    writeFileSync(file, `${JSON.stringify({ aus, testFold, ...unseen, ...(seen && { seen }) }, null, 1)}\n`)
  } catch (error) {
    throw cannotWrite(file, error)
  }
  console.log(auTable(aus, unseen))
  if (seen)
    console.log(
      `Held-out pictures of training people: F1 ${percent(seen.f1At05)} at 0.5, AUC ${seen.auc?.toFixed(3) ?? 'undefined'}`,
    )
  console.log(`Saved ${checkpointPath(options.out)} and ${file}`)
}

function percent(share: number): string {
  return (100 * share).toFixed(1)
}

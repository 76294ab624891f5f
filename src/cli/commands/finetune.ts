import { join } from 'node:path'
import { writeJson } from '../../atomicWrite.node.js'
import { auTargets, chooseFolds, type FoldParts } from '../../data/folds.js'
import { constantAuNotes, foldNotes } from '../../data/labelNotes.js'
import { UserError } from '../../errors.js'
import { largestClassifierActivation } from '../../model/largestActivation.js'
import { openStart } from '../../train/import/openStart.node.js'
import { classify } from '../../train/loop/evaluation.js'
import { makeFineTuning } from '../../train/makeFineTuning.js'
import { type ActionUnitMetrics, actionUnitMetrics } from '../../train/metrics/actionUnitMetrics.js'
import { classifierConfig, vitConfig } from '../../train/modelConfig.js'
import { fineTuneSettings } from '../../train/settings.js'
import { runManaged } from '../managedRun.js'
import type { FineTuneOptions } from '../options.js'
import { checkpointPath, openLog, prepareOut } from '../runFolder.node.js'
import { settingsOf } from '../schemaOptions.js'
import { StopSignal } from '../stopSignal.js'
import { auTable } from './auTable.js'
import { openData } from './openData.js'
import { parameterCount } from './pretrain.js'
import { fittedBatch, imageLoader, openAnnouncedDevice } from './session.js'

/** `finetune`: trains AUs on all folds but one, and tests on that one after every epoch. Returns the exit code. */
export async function finetune(options: FineTuneOptions): Promise<number> {
  const set = await openData(options)
  const aus = options.aus ?? set.aus
  if (!aus) throw new UserError(`${options.data}: no AU labels; fine-tuning requires labels`)
  if (aus.length === 0) throw new UserError(`${options.data}: no label contains an active AU`)
  const parts = chooseFolds(set, options)
  const { train, test, testFold, subjects } = parts
  const encoder = vitConfig(options)
  // Finds a test image without labels now, not after an epoch.
  const targets = auTargets(set, test, aus)
  for (const note of [...foldNotes(set, parts.folds), ...constantAuNotes(targets, aus)]) console.log(note)
  const stop = new StopSignal(options.maxMinutes)
  prepareOut(options.out, options.resume)
  const runtime = await openAnnouncedDevice(options)
  const loader = imageLoader(
    set,
    encoder.imageSize,
    options.standardise,
    options.cacheMegabytes,
    options.crop,
  )
  const sizes = classifierConfig(encoder, { aus: aus.length, subjects: subjects.length }, options)
  const batches = fittedBatch(options, largestClassifierActivation(sizes), runtime)
  // A resumed run takes its weights from its own checkpoint.
  const from = options.resume ? undefined : options.from
  const { run, info } = await makeFineTuning(
    runtime,
    { ...parts, loader, aus },
    {
      settings: { ...settingsOf(fineTuneSettings, options), testFold },
      encoder,
      batches,
      start: from === undefined ? null : await openStart(from, { encoder, ...options }, console.log),
      say: console.log,
    },
  )
  const name = options.lambda > 0 ? `FMAE-IAT, lambda ${options.lambda}` : 'AU classifier'
  console.log(
    `${name}: ${parameterCount(run)} parameters, AUs ${aus.join(', ')}; ${train.length} training images, ${test.length} test images (${testFold})`,
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
    stop,
    onEpoch: async (epoch) => {
      if (epoch % options.evaluateEvery !== 0 && epoch !== options.epochs) return undefined
      measured.last = await measure(test)
      const { f1At05, f1Best, threshold, auc, loss, baseRateEntropy } = measured.last
      log.write({ epoch, f1At05, f1Best, threshold, auc, loss, baseRateEntropy })
      console.log(
        `epoch ${epoch}: F1 ${percent(f1At05)} at 0.5, ${percent(f1Best)} at ${threshold.toFixed(2)}, AUC ${auc?.toFixed(3) ?? 'undefined'}`,
      )
      return { name: 'f1At05', value: f1At05, better: 'higher' }
    },
  })
  if (outcome === 'stopped') console.log('To continue, run the same command with --resume')
  else {
    const seen = parts.seen.length > 0 ? await measure(parts.seen) : null
    await report(options, aus, parts, measured.last!, seen)
  }
  runtime.close()
  return outcome === 'stopped' ? 130 : 0
}

async function report(
  options: FineTuneOptions,
  aus: readonly number[],
  { testFold }: FoldParts,
  unseen: ActionUnitMetrics,
  seen: ActionUnitMetrics | null,
): Promise<void> {
  const file = join(options.out, 'metrics.json')
  await writeJson(file, { aus, testFold, ...unseen, ...(seen && { seen }) })
  console.log(auTable(aus, unseen))
  if (seen)
    console.log(
      `Held-out images of training subjects: F1 ${percent(seen.f1At05)} at 0.5, AUC ${seen.auc?.toFixed(3) ?? 'undefined'}`,
    )
  console.log(`Saved ${checkpointPath(options.out)} and ${file}`)
}

function percent(share: number): string {
  return (100 * share).toFixed(1)
}

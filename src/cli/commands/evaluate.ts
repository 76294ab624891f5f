import { writeFileSync } from 'node:fs'
import { cannotWrite } from '../../atomicWrite.node.js'
import { auTargets, type Fold, foldIndices, makeFolds, subjectsOf } from '../../data/folds.js'
import { foldsDigest } from '../../data/foldsDigest.js'
import type { ImageSet } from '../../data/imageSet.js'
import { constantAuNotes } from '../../data/labelNotes.js'
import { UserError } from '../../errors.js'
import { type ReadInfo, readInfo } from '../../train/checkpoint/checkpoint.js'
import { loadClassifier } from '../../train/checkpoint/loadModel.js'
import { readSafetensors } from '../../train/checkpoint/safetensorsFile.node.js'
import { classify } from '../../train/loop/evaluation.js'
import { actionUnitMetrics } from '../../train/metrics/actionUnitMetrics.js'
import type { EvaluateOptions } from '../options.js'
import { auTable } from './auTable.js'
import { openForTest } from './openData.js'
import { imageLoader, openAnnouncedDevice } from './session.js'

/** `evaluate`: AU metrics of a finished classifier on labelled pictures. Returns the exit code. */
export async function evaluate(options: EvaluateOptions): Promise<number> {
  const file = await readSafetensors(options.checkpoint)
  const info = readInfo(file, options.checkpoint)
  if (info.kind !== 'iat') {
    throw new UserError(
      `${options.checkpoint}: an FMAE checkpoint has no AU outputs; expected one that finetune saved`,
    )
  }
  const { config, aus, standardise } = info
  const set = await openForTest(options, aus)
  const indices = await chosenImages(set, options, info)
  const targets = auTargets(set, indices, aus)
  for (const note of constantAuNotes(targets, aus)) console.log(note)
  const runtime = await openAnnouncedDevice()
  const model = loadClassifier(runtime, config, file, options.checkpoint)
  const loader = imageLoader(set, model.config.imageSize, standardise, options.cacheMegabytes)
  const { auLogits } = await classify(runtime, model, loader, indices, options.batchSize)
  const metrics = actionUnitMetrics(auLogits, targets, aus.length)
  console.log(`${indices.length} pictures of ${set.name}\n${auTable(aus, metrics)}`)
  if (options.json) writeJson(options.json, { images: indices.length, aus, ...metrics })
  runtime.close()
  return 0
}

type ClassifierInfo = Extract<ReadInfo, { kind: 'iat' }>

/** The pictures of `--test-fold`; folds that the data does not bring are made as the fine-tuning made them. */
async function chosenImages(
  set: ImageSet,
  options: EvaluateOptions,
  info: ClassifierInfo,
): Promise<Uint32Array> {
  const { testFold } = options
  if (!testFold) {
    console.log('All pictures are measured, those of people trained on too; --test-fold measures one fold.')
    return Uint32Array.from({ length: set.length }, (_, index) => index)
  }
  const { folds: count, seed } = info.options
  const folds = set.folds ?? makeFolds(subjectsOf(set), Number(count ?? 3), Number(seed ?? 0))
  const indices = foldIndices(set, folds, testFold)
  await checkFolds(set, folds, options, info)
  if (trainingFolds(folds, info).includes(testFold))
    console.log(`${testFold} was trained on: the classifier knows these people.`)
  return indices
}

/** With other folds, or one person more or fewer, people who were trained on would pass for test people. */
async function checkFolds(
  set: ImageSet,
  folds: readonly Fold[],
  { data, checkpoint }: EvaluateOptions,
  { config, folds: before }: ClassifierInfo,
): Promise<void> {
  const now = await foldsDigest(set, folds)
  const known = before ?? `${config.subjects} people`
  const inFolds = new Set(folds.flatMap(({ subjects }) => subjects))
  const people = subjectsOf(set).filter((subject) => inFolds.has(subject)).length
  if (before !== undefined ? before !== now : config.subjects !== people)
    throw new UserError(
      `${data}: its folds are not those of ${checkpoint} (${known}; now ${now}): people who were trained on would be scored as unseen. Expected the people and folds of the fine-tuning, or no --test-fold`,
    )
  if (before === undefined)
    console.log(`${checkpoint} does not say who was in its folds: that the folds are the same is not checked`)
}

/** Names of the folds that the fine-tuning trained on. */
function trainingFolds(folds: readonly Fold[], { options }: ClassifierInfo): readonly string[] {
  const names = folds.map(({ name }) => name)
  const { trainOn, testFold = names.at(-1) } = options
  return Array.isArray(trainOn) ? trainOn : names.filter((name) => name !== testFold)
}

export function writeJson(path: string, value: unknown): void {
  try {
    writeFileSync(path, `${JSON.stringify(value, null, 1)}\n`)
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

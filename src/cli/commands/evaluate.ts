import { writeJson } from '../../atomicWrite.node.js'
import { auTargets, type Fold, foldIndices, makeFolds, subjectsOf } from '../../data/folds.js'
import { foldsDigest } from '../../data/foldsDigest.js'
import type { ImageSet } from '../../data/imageSet.js'
import { constantAuNotes } from '../../data/labelNotes.js'
import { UserError } from '../../errors.js'
import { type ClassifierInfo, readClassifierInfo } from '../../train/checkpoint/checkpoint.js'
import { loadClassifier } from '../../train/checkpoint/loadModel.js'
import { readSafetensors } from '../../train/checkpoint/safetensorsFile.node.js'
import { classify } from '../../train/loop/evaluation.js'
import { actionUnitMetrics } from '../../train/metrics/actionUnitMetrics.js'
import type { EvaluateOptions } from '../options.js'
import { auTable } from './auTable.js'
import { openForTest } from './openData.js'
import { imageLoader, openAnnouncedDevice, trainingCrop } from './session.js'

/** `evaluate`: AU metrics of a classifier on labeled images. Returns the exit code. */
export async function evaluate(options: EvaluateOptions): Promise<number> {
  const file = await readSafetensors(options.checkpoint)
  const info = readClassifierInfo(file, options.checkpoint)
  const { config, aus, standardise } = info
  const crop = options.crop ?? trainingCrop(info)
  const set = await openForTest({ ...options, crop }, aus)
  const indices = await chosenImages(set, options, info)
  const targets = auTargets(set, indices, aus)
  for (const note of constantAuNotes(targets, aus)) console.log(note)
  const runtime = await openAnnouncedDevice()
  const model = loadClassifier(runtime, config, file, options.checkpoint)
  const loader = imageLoader(set, model.config.imageSize, standardise, options.cacheMegabytes, crop)
  const { auLogits } = await classify(runtime, model, loader, indices, options.batchSize)
  const metrics = actionUnitMetrics(auLogits, targets, aus.length)
  console.log(`${indices.length} images from ${set.name}\n${auTable(aus, metrics)}`)
  if (options.json) await writeJson(options.json, { images: indices.length, aus, ...metrics })
  runtime.close()
  return 0
}

/** The images of `--test-fold`. Data without folds is split as the fine-tuning split it. */
async function chosenImages(
  set: ImageSet,
  options: EvaluateOptions,
  info: ClassifierInfo,
): Promise<Uint32Array> {
  const { testFold } = options
  if (!testFold) {
    console.log(
      'Evaluating all images, including those of training subjects. Use --test-fold to evaluate one fold.',
    )
    return Uint32Array.from({ length: set.length }, (_, index) => index)
  }
  const { folds: count, seed } = info.options
  const folds = set.folds ?? makeFolds(subjectsOf(set), Number(count ?? 3), Number(seed ?? 0))
  const indices = foldIndices(set, folds, testFold)
  await checkFolds(set, folds, options, info)
  if (trainingFolds(folds, info).includes(testFold))
    console.log(`Note: the classifier was trained on ${testFold}, so its subjects are seen subjects.`)
  return indices
}

/** With other folds, or one subject more or fewer, training subjects would be scored as unseen. */
async function checkFolds(
  set: ImageSet,
  folds: readonly Fold[],
  { data, checkpoint }: EvaluateOptions,
  { config, folds: before }: ClassifierInfo,
): Promise<void> {
  const now = await foldsDigest(set, folds)
  const known = before ?? `${config.subjects} people`
  const inFolds = new Set(folds.flatMap(({ subjects }) => subjects))
  const count = subjectsOf(set).filter((subject) => inFolds.has(subject)).length
  if (before !== undefined ? before !== now : config.subjects !== count)
    throw new UserError(
      `${data}: its folds differ from those of ${checkpoint} (${known}; now ${now}), so training subjects could be scored as unseen. Expected the subjects and folds of the fine-tuning, or no --test-fold`,
    )
  if (before === undefined)
    console.log(`Warning: ${checkpoint} does not store its folds, so they cannot be checked.`)
}

/** Names of the folds that the fine-tuning trained on. */
function trainingFolds(folds: readonly Fold[], { options }: ClassifierInfo): readonly string[] {
  const names = folds.map(({ name }) => name)
  const { trainOn, testFold = names.at(-1) } = options
  return Array.isArray(trainOn) ? trainOn : names.filter((name) => name !== testFold)
}

import { writeFileSync } from 'node:fs'
import { cannotWrite } from '../checkpoint/atomicWrite.node.js'
import { readInfo } from '../checkpoint/checkpoint.js'
import { readSafetensors } from '../checkpoint/safetensorsFile.node.js'
import { auTargets, indicesOfSubjects, makeFolds, subjectsOf } from '../data/folds.js'
import type { ImageSet } from '../data/imageSet.js'
import { UserError } from '../errors.js'
import { classify } from '../loop/evaluation.js'
import { loadClassifier } from '../loop/pretrainedFeatures.js'
import { actionUnitMetrics } from '../metrics/actionUnitMetrics.js'
import type { EvaluateOptions } from '../options.js'
import { auTable } from './auTable.js'
import { openAnnouncedDevice, openForTest, pictureLoader } from './session.js'

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
  const set = openForTest(options, aus)
  const indices = chosenPictures(set, options, info.options)
  const targets = auTargets(set, indices, aus)
  const runtime = await openAnnouncedDevice()
  const model = loadClassifier(runtime, config, file, options.checkpoint)
  const loader = pictureLoader(set, model.config.imageSize, standardise, options.cacheMegabytes)
  const { auLogits } = await classify(runtime, model, loader, indices, options.batchSize)
  const metrics = actionUnitMetrics(auLogits, targets, aus.length)
  console.log(`${indices.length} pictures of ${set.name}\n${auTable(aus, metrics)}`)
  if (options.json) writeJson(options.json, { images: indices.length, aus, ...metrics })
  runtime.close()
  return 0
}

/** The pictures of `--test-fold`; folds that the data does not bring are made as the fine-tuning made them. */
function chosenPictures(
  set: ImageSet,
  { testFold, folds: count }: EvaluateOptions,
  trained: Readonly<Record<string, unknown>>,
): Uint32Array {
  if (!testFold) return Uint32Array.from({ length: set.length }, (_, index) => index)
  const folds =
    set.folds ?? makeFolds(subjectsOf(set), count ?? Number(trained.folds ?? 3), Number(trained.seed ?? 0))
  const fold = folds.find(({ name }) => name === testFold)
  if (!fold)
    throw new UserError(
      `no fold is called "${testFold}"; there are ${folds.map(({ name }) => name).join(', ')}`,
    )
  return indicesOfSubjects(set, fold.subjects)
}

export function writeJson(path: string, value: unknown): void {
  try {
    writeFileSync(path, `${JSON.stringify(value, null, 1)}\n`)
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

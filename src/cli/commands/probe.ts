import { writeJson } from '../../atomicWrite.node.js'
import { readInfo } from '../../train/checkpoint/checkpoint.js'
import { loadClassifier, loadEncoder } from '../../train/checkpoint/loadModel.js'
import { readSafetensors } from '../../train/checkpoint/safetensorsFile.node.js'
import { classify } from '../../train/loop/evaluation.js'
import { probeFeatures, probeFloors, probeSubjects } from '../../train/metrics/probeSubjects.js'
import type { ProbeOptions } from '../options.js'
import { openData } from './openData.js'
import { imageLoader, openAnnouncedDevice, trainingCrop } from './session.js'

/** `probe`: how well subjects can be identified from frozen features. Returns the exit code. */
export async function probe(options: ProbeOptions): Promise<number> {
  const file = await readSafetensors(options.checkpoint)
  const info = readInfo(file, options.checkpoint)
  const crop = options.crop ?? trainingCrop(info)
  const set = await openData({ ...options, crop })
  const subjects = probeSubjects(set, options.seed)
  const runtime = await openAnnouncedDevice()
  const model =
    info.kind === 'iat'
      ? loadClassifier(runtime, info.config, file, options.checkpoint)
      : loadEncoder(runtime, info.config, file, options.checkpoint)
  const loader = imageLoader(set, model.config.imageSize, info.standardise, options.cacheMegabytes, crop)
  const { features } = await classify(runtime, model, loader, subjects.indices, options.batchSize)
  const accuracy = probeFeatures(set, subjects, features, model.config.width, options.seed)
  const result = { ...accuracy, ...probeFloors(set, subjects) }
  console.log(`${subjects.subjects.length} subjects, ${subjects.indices.length} images from ${set.name}`)
  for (const [name, value] of Object.entries(result)) {
    if (value !== null)
      console.log(`${probeTitles[name as keyof typeof probeTitles].padEnd(52)} ${value.toFixed(4)}`)
  }
  if (options.json) await writeJson(options.json, result)
  runtime.close()
  return 0
}

const probeTitles = {
  converged: 'converged softmax regression, standardized features',
  published: 'published protocol (20 epochs of one-hot BCE)',
  labelsOnly: 'true AU labels instead of features',
  chance: 'chance',
}

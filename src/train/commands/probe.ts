import { readInfo } from '../checkpoint/checkpointFile.node.js'
import { readSafetensors } from '../checkpoint/safetensorsFile.node.js'
import { auTargets, splitPerSubject, subjectsOf, subjectTargets } from '../data/folds.js'
import type { ImageSet } from '../data/imageSet.js'
import { openImageSet } from '../data/openImageSet.node.js'
import { UserError } from '../errors.js'
import { classify } from '../loop/evaluation.js'
import { loadClassifier, loadEncoder } from '../loop/pretrainedFeatures.js'
import { identityProbe, type ProbeData, publishedIdentityProbe } from '../metrics/identityProbe.js'
import type { ProbeOptions } from '../options.js'
import { writeJson } from './evaluate.js'
import { openDevice, pictureLoader } from './session.js'

/** Share of each person's pictures that the probe is fitted on; the rest scores it (70 of 100 in the paper). */
const FIT_FRACTION = 0.7

/** `probe`: how well people can be told apart by frozen features. Returns the exit code. */
export async function probe(options: ProbeOptions): Promise<number> {
  const file = await readSafetensors(options.checkpoint)
  const info = readInfo(file, options.checkpoint)
  const { data, root, subjectFrom } = options
  const set = openImageSet(data, { splits: options.split, root, subjectFrom })
  const people = probePeople(set, options.seed)
  const runtime = await openDevice()
  const model =
    info.kind === 'iat'
      ? loadClassifier(runtime, info.config, file, options.checkpoint)
      : loadEncoder(runtime, info.config, file, options.checkpoint)
  const loader = pictureLoader(set, model.config.imageSize, info.standardise, options.cacheMegabytes)
  const { features } = await classify(runtime, model, loader, people.indices, options.batchSize)
  const accuracy = probeFeatures(set, people, features, model.config.width, options.seed)
  const result = { ...accuracy, ...probeFloors(set, people) }
  console.log(`${people.subjects.length} people, ${people.indices.length} pictures of ${set.name}`)
  for (const [name, value] of Object.entries(result)) {
    if (value !== null)
      console.log(`${probeTitles[name as keyof typeof probeTitles].padEnd(52)} ${value.toFixed(4)}`)
  }
  if (options.json) writeJson(options.json, result)
  runtime.close()
  return 0
}

const probeTitles = {
  converged: 'converged softmax regression on standardised features',
  published: "the paper's short protocol (20 epochs of one-hot BCE)",
  labelsOnly: 'from the true AU labels alone',
  chance: 'chance',
}

/** The pictures of a probe, split within each person. */
export interface ProbePeople {
  readonly subjects: readonly string[]
  /** Pictures of the set. */
  readonly indices: Uint32Array
  /** Rows of `indices`. */
  readonly train: readonly number[]
  readonly test: readonly number[]
}

export function probePeople(set: ImageSet, seed: number, among?: ArrayLike<number>): ProbePeople {
  const all = among ?? Array.from({ length: set.length }, (_, index) => index)
  const counts = new Map<string | null, number>()
  for (const index of Array.from(all)) {
    const { subject } = set.record(index)
    counts.set(subject, (counts.get(subject) ?? 0) + 1)
  }
  const subjects = subjectsOf(set).filter((subject) => (counts.get(subject) ?? 0) >= 2)
  if (subjects.length < 2)
    throw new UserError(`${set.name}: a probe wants two people with two pictures each, or more`)
  const known = new Set<string | null>(subjects)
  const indices = Uint32Array.from(all).filter((index) => known.has(set.record(index).subject))
  const first = new Set(splitPerSubject(set, indices, FIT_FRACTION, seed).first)
  const rows = Array.from(indices, (_, row) => row)
  return {
    subjects,
    indices,
    train: rows.filter((row) => first.has(indices[row]!)),
    test: rows.filter((row) => !first.has(indices[row]!)),
  }
}

/** Probe accuracy of features [N, width], rows as in `people.indices`. */
export function probeFeatures(
  set: ImageSet,
  people: ProbePeople,
  features: Float32Array,
  width: number,
  seed: number,
): { converged: number; published: number } {
  const data = probeData(set, people, features, width)
  return { converged: identityProbe(data), published: publishedIdentityProbe(data, seed) }
}

/** Identity from the true AU labels: what a perfect AU detector gives away; null for sets without labels. */
export function probeFloors(
  set: ImageSet,
  people: ProbePeople,
): { labelsOnly: number | null; chance: number } {
  const chance = 1 / people.subjects.length
  const labelled = set.aus && people.indices.every((index) => set.record(index).aus !== null)
  if (!labelled || !set.aus) return { labelsOnly: null, chance }
  const labels = auTargets(set, people.indices, set.aus)
  return { labelsOnly: identityProbe(probeData(set, people, labels, set.aus.length)), chance }
}

function probeData(set: ImageSet, people: ProbePeople, features: Float32Array, width: number): ProbeData {
  const { subjects, indices, train, test } = people
  const classes = subjectTargets(set, indices, subjects)
  return { features, width, subjects: classes, classes: subjects.length, train, test }
}

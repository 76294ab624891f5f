import { auTargets, splitPerSubject, subjectsOf, subjectTargets } from '../data/folds.js'
import type { ImageSet } from '../data/imageSet.js'
import { UserError } from '../errors.js'
import { identityProbe, type ProbeData, publishedIdentityProbe } from './identityProbe.js'

/** Share of each person's pictures that the probe is fitted on; the rest scores it (70 of 100 in the paper). */
const FIT_FRACTION = 0.7

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

import { auTargets, splitPerSubject, subjectTargets } from '../../data/folds.js'
import type { ImageSet } from '../../data/imageSet.js'
import { streams } from '../../data/streams.js'
import { PhiloxStream } from '../../engine/random.js'
import { UserError } from '../../errors.js'
import { identityProbe, type ProbeData, publishedIdentityProbe } from './identityProbe.js'

/** Fraction of each subject's images that the probe is fitted on; the rest scores it (70 of 100 in the paper). */
const FIT_FRACTION = 0.7
/** Most images per subject, as in the paper. More would also be slow for the converged probe, which uses one thread. */
const MOST_PICTURES = 100

/** The images of a probe: at most 100 of each subject, split within each subject. */
export interface ProbeSubjects {
  readonly subjects: readonly string[]
  /** Images of the set. */
  readonly indices: Uint32Array
  /** Rows of `indices`. */
  readonly train: readonly number[]
  readonly test: readonly number[]
}

export function probeSubjects(set: ImageSet, seed: number, among?: ArrayLike<number>): ProbeSubjects {
  const all = among ?? Array.from({ length: set.length }, (_, index) => index)
  const images = imagesOfSubjects(set, all)
  const subjects = [...images.keys()].filter((subject) => images.get(subject)!.length >= 2).sort()
  if (subjects.length < 2)
    throw new UserError(`${set.name}: a probe requires at least two subjects with two images each`)
  const stream = new PhiloxStream(seed, streams.probedImages)
  const drawn = new Set(subjects.flatMap((subject) => drawImages(images.get(subject)!, stream)))
  const indices = Uint32Array.from(all).filter((index) => drawn.has(index))
  const first = new Set(splitPerSubject(set, indices, FIT_FRACTION, seed).first)
  const rows = Array.from(indices, (_, row) => row)
  return {
    subjects,
    indices,
    train: rows.filter((row) => first.has(indices[row])),
    test: rows.filter((row) => !first.has(indices[row])),
  }
}

function imagesOfSubjects(set: ImageSet, among: ArrayLike<number>): Map<string, number[]> {
  const subjects = new Map<string, number[]>()
  for (const index of Array.from(among)) {
    const { subject } = set.sample(index)
    if (subject === null) continue
    const own = subjects.get(subject)
    if (own) own.push(index)
    else subjects.set(subject, [index])
  }
  return subjects
}

/** All of them if they are few enough; then nothing is drawn at random. */
function drawImages(own: number[], stream: PhiloxStream): readonly number[] {
  return own.length > MOST_PICTURES ? stream.shuffle(own).slice(0, MOST_PICTURES) : own
}

/** Probe accuracy of features [N, width], rows as in `probe.indices`. */
export function probeFeatures(
  set: ImageSet,
  probe: ProbeSubjects,
  features: Float32Array,
  width: number,
  seed: number,
): { converged: number; published: number } {
  const data = probeData(set, probe, features, width)
  return { converged: identityProbe(data), published: publishedIdentityProbe(data, seed) }
}

/** Probe accuracy from the true AU labels, which a perfect AU detector reaches too; null for sets without labels. */
export function probeFloors(
  set: ImageSet,
  probe: ProbeSubjects,
): { labelsOnly: number | null; chance: number } {
  const chance = 1 / probe.subjects.length
  const labelled = set.aus && probe.indices.every((index) => set.sample(index).aus !== null)
  if (!labelled || !set.aus) return { labelsOnly: null, chance }
  const labels = auTargets(set, probe.indices, set.aus)
  return { labelsOnly: identityProbe(probeData(set, probe, labels, set.aus.length)), chance }
}

function probeData(set: ImageSet, probe: ProbeSubjects, features: Float32Array, width: number): ProbeData {
  const { subjects, indices, train, test } = probe
  const classes = subjectTargets(set, indices, subjects)
  return { features, width, subjects: classes, classes: subjects.length, train, test }
}

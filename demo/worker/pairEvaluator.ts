import { auTargets, indicesOfSubjects, subjectTargets } from '../../src/data/folds.js'
import type { Runtime } from '../../src/engine/runtime.js'
import type { AuClassifier } from '../../src/model/auClassifier.js'
import { classify } from '../../src/train/loop/evaluation.js'
import { actionUnitMetrics, f1Scores } from '../../src/train/metrics/actionUnitMetrics.js'
import { identityProbe } from '../../src/train/metrics/identityProbe.js'
import { type ProbeSubjects, probeFloors, probeSubjects } from '../../src/train/metrics/probeSubjects.js'
import type { ClassifierScores, EvaluationFacts } from '../protocol.js'
import type { Faces } from './faces.js'

/**
 * Subjects in the identity probe: so many training subjects and held-out ones. All images of the latter score
 * the AUs.
 */
const KNOWN = 16
const NEW = 16
/** Of each kind on the map. */
const MAPPED = 6
/**
 * The probe is the mean over so many splits into images to fit on and to score: it costs little and halves
 * the noise.
 */
const SPLITS = [0, 1, 2]
const BATCH = 64

/** What an evaluation finds out about one classifier. */
export interface EvaluationResult {
  readonly scores: ClassifierScores
  /** Features of the images on the map. */
  readonly mapped: readonly Float32Array[]
}

/** The images on which both classifiers are evaluated, always the same. */
export class Evaluator {
  readonly facts: EvaluationFacts
  /** Subject of each image on the map; training subjects come first. */
  readonly mapSubjects: readonly number[]
  readonly mapKnown = MAPPED
  /** The same subjects and images, split differently. */
  readonly #splits: readonly ProbeSubjects[]
  readonly #indices: Uint32Array
  /** Rows of the probe's images that show held-out subjects. */
  readonly #unseen: readonly number[]
  /** AU labels of those, [N, aus]. */
  readonly #targets: Float32Array
  readonly #mapRows: readonly number[]

  constructor(readonly faces: Faces) {
    const { set } = faces.data
    const known = subjectsOf(faces, faces.data.train).slice(0, KNOWN)
    const fresh = subjectsOf(faces, faces.data.unseen).slice(0, NEW)
    const among = indicesOfSubjects(set, [...known, ...fresh])
    this.#splits = SPLITS.map((seed) => probeSubjects(set, seed, among))
    this.#indices = this.#splits[0].indices
    const subjects = Array.from(this.#indices, (index) => set.sample(index).subject!)
    const rowsOf = (subject: string) => subjects.flatMap((other, row) => (other === subject ? [row] : []))
    this.#unseen = fresh.flatMap(rowsOf)
    const unseenImages = this.#unseen.map((row) => this.#indices[row])
    this.#targets = auTargets(set, unseenImages, faces.data.aus)
    const mapped = [...known.slice(0, MAPPED), ...fresh.slice(0, MAPPED)].map(rowsOf)
    this.#mapRows = mapped.flat()
    this.mapSubjects = mapped.flatMap((rows, subject) => rows.map(() => subject))
    const floors = this.#splits.map((subjects) => probeFloors(set, subjects))
    this.facts = {
      unseenImages: this.#unseen.length,
      unseenSubjects: fresh.length,
      alwaysPresentF1: alwaysPresentF1(this.#targets, faces.data.aus.length),
      probeImages: subjects.length,
      probeSubjects: known.length + fresh.length,
      chance: floors[0].chance,
      labelsOnly: mean(floors.map(({ labelsOnly }) => labelsOnly!)),
    }
  }

  async evaluate(runtime: Runtime, model: AuClassifier): Promise<EvaluationResult> {
    const { aus, width } = model.config
    const { auLogits, features } = await classify(runtime, model, this.faces.loader, this.#indices, BATCH)
    const mapped = this.#mapRows.map((row) => features.subarray(row * width, (row + 1) * width))
    const scores = { ...this.#auScores(auLogits, aus), probe: this.#probe(features, width) }
    return { scores, mapped }
  }

  #auScores(auLogits: Float32Array, aus: number): Omit<ClassifierScores, 'probe'> {
    const logits = this.#unseen.flatMap((row) => [...auLogits.subarray(row * aus, (row + 1) * aus)])
    const { f1At05, f1Best, threshold, auc } = actionUnitMetrics(logits, this.#targets, aus)
    return { f1At05, f1Best, threshold, auc }
  }

  #probe(features: Float32Array, width: number): number {
    const accuracies = this.#splits.map(({ subjects: names, train, test }) => {
      const subjects = subjectTargets(this.faces.data.set, this.#indices, names)
      return identityProbe({ features, width, subjects, classes: names.length, train, test })
    })
    return mean(accuracies)
  }
}

function subjectsOf({ data }: Faces, indices: ArrayLike<number>): string[] {
  return [...new Set(Array.from(indices, (index) => data.set.sample(index).subject!))]
}

function alwaysPresentF1(targets: Float32Array, aus: number): number {
  return mean(f1Scores(new Float32Array(targets.length).fill(1), targets, aus, 0.5))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

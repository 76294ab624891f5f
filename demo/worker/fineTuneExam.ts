import type { Runtime } from '../../src/engine/runtime.js'
import type { AuClassifier } from '../../src/model/auClassifier.js'
import { auTargets, indicesOfSubjects, subjectTargets } from '../../src/train/data/folds.js'
import { classify } from '../../src/train/loop/evaluation.js'
import { actionUnitMetrics } from '../../src/train/metrics/actionUnitMetrics.js'
import { identityProbe } from '../../src/train/metrics/identityProbe.js'
import { type ProbePeople, probeFloors, probePeople } from '../../src/train/metrics/probePeople.js'
import type { ClassifierScores, ExamFacts } from '../protocol.js'
import type { Faces } from './faces.js'

/** People in the identity probe: so many who are trained on, and so many who never are. All pictures of the latter score the AUs. */
const KNOWN = 12
const NEW = 12
/** Of each kind on the map. */
const MAPPED = 6
const SEED = 0
const BATCH = 64

/** What an exam finds out about one classifier. */
export interface ExamResult {
  readonly scores: ClassifierScores
  /** Features of the pictures on the map. */
  readonly mapped: readonly Float32Array[]
}

/** The pictures with which both classifiers are examined, always the same. */
export class Examiner {
  readonly facts: ExamFacts
  /** Person of each picture on the map; those who are trained on come first. */
  readonly mapPeople: readonly number[]
  readonly mapKnown = MAPPED
  readonly #people: ProbePeople
  /** Rows of the probe's pictures that show people who are never trained on. */
  readonly #unseen: readonly number[]
  readonly #mapRows: readonly number[]

  constructor(readonly faces: Faces) {
    const { set } = faces.data
    const known = peopleOf(faces, faces.data.train).slice(0, KNOWN)
    const fresh = peopleOf(faces, faces.data.unseen).slice(0, NEW)
    this.#people = probePeople(set, SEED, indicesOfSubjects(set, [...known, ...fresh]))
    const subjects = Array.from(this.#people.indices, (index) => set.record(index).subject!)
    const rowsOf = (subject: string) => subjects.flatMap((other, row) => (other === subject ? [row] : []))
    this.#unseen = fresh.flatMap(rowsOf)
    const mapped = [...known.slice(0, MAPPED), ...fresh.slice(0, MAPPED)].map(rowsOf)
    this.#mapRows = mapped.flat()
    this.mapPeople = mapped.flatMap((rows, person) => rows.map(() => person))
    const { chance, labelsOnly } = probeFloors(set, this.#people)
    this.facts = {
      unseenPictures: this.#unseen.length,
      unseenPeople: fresh.length,
      probePictures: subjects.length,
      probePeople: this.#people.subjects.length,
      chance,
      labelsOnly: labelsOnly!,
    }
  }

  async examine(runtime: Runtime, model: AuClassifier): Promise<ExamResult> {
    const { loader, data } = this.faces
    const { indices } = this.#people
    const { auLogits, features } = await classify(runtime, model, loader, indices, BATCH)
    const { aus, width } = model.config
    const logits = this.#unseen.flatMap((row) => [...auLogits.subarray(row * aus, (row + 1) * aus)])
    const unseen = this.#unseen.map((row) => indices[row]!)
    const { f1At05, f1Best, threshold, auc } = actionUnitMetrics(
      logits,
      auTargets(data.set, unseen, data.aus),
      aus,
    )
    const { subjects, train, test } = this.#people
    const people = subjectTargets(data.set, indices, subjects)
    const classes = subjects.length
    const probe = identityProbe({ features, width, subjects: people, classes, train, test })
    const mapped = this.#mapRows.map((row) => features.subarray(row * width, (row + 1) * width))
    return { scores: { f1At05, f1Best, threshold, auc, probe }, mapped }
  }
}

function peopleOf({ data }: Faces, indices: ArrayLike<number>): string[] {
  return [...new Set(Array.from(indices, (index) => data.set.record(index).subject!))]
}

import type { Runtime } from '../../src/engine/runtime.js'
import type { AuClassifier } from '../../src/model/auClassifier.js'
import type { FeatureMaps, FineTuneExam, StudioEvent } from '../protocol.js'
import type { Faces } from './faces.js'
import { Examiner } from './fineTuneExam.js'
import { mapFeatures, nearestOfSameSubject } from './fineTuneMap.js'

interface Hooks {
  readonly tell: (event: StudioEvent) => void
  readonly faces: () => Promise<Faces>
}

/** What act 2's two classifiers knew at each exam, and the maps of the last one. */
export class FineTuneExams {
  all: FineTuneExam[] = []
  maps: FeatureMaps | null = null
  #examiner: Examiner | null = null

  constructor(
    readonly runtime: Runtime,
    readonly hooks: Hooks,
  ) {}

  /** Step of the last one; null before the first. */
  get lastStep(): number | null {
    return this.all.at(-1)?.step ?? null
  }

  clear(): void {
    this.all = []
    this.maps = null
  }

  /** Examines both after `step` and tells what came of it. Returns false if it was stopped half-way. */
  async hold(step: number, models: Record<'plain' | 'iat', AuClassifier>, stopped: () => boolean) {
    const examiner = await this.#open()
    const plain = await examiner.examine(this.runtime, models.plain)
    if (stopped()) return false
    const iat = await examiner.examine(this.runtime, models.iat)
    const plainMap = mapFeatures(plain.mapped, this.maps?.plain ?? null)
    const iatMap = mapFeatures(iat.mapped, this.maps?.iat ?? plainMap)
    const { mapSubjects: subjects, mapKnown: known } = examiner
    const nearest = {
      plain: nearestOfSameSubject(plain.mapped, subjects),
      iat: nearestOfSameSubject(iat.mapped, subjects),
    }
    this.all.push({ step, plain: plain.scores, iat: iat.scores })
    this.maps = { step, subjects: [...subjects], known, plain: plainMap, iat: iatMap, nearest }
    await this.tell()
    return true
  }

  async tell(): Promise<void> {
    const { facts } = await this.#open()
    this.hooks.tell({ type: 'exams', facts, exams: this.all })
    if (this.maps) this.hooks.tell({ type: 'featureMaps', maps: this.maps })
  }

  async #open(): Promise<Examiner> {
    this.#examiner ??= new Examiner(await this.hooks.faces())
    return this.#examiner
  }
}

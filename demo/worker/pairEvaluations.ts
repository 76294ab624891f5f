import type { Runtime } from '../../src/engine/runtime.js'
import type { AuClassifier } from '../../src/model/auClassifier.js'
import type { FeatureMaps, PairEvaluation, WorkerEvent } from '../protocol.js'
import type { Faces } from './faces.js'
import { mapFeatures, nearestOfSameSubject } from './fineTuneMap.js'
import { Evaluator } from './pairEvaluator.js'

interface Hooks {
  readonly tell: (event: WorkerEvent) => void
  readonly faces: () => Promise<Faces>
}

/** The scores of both classifiers at each evaluation, and the maps of the last one. */
export class PairEvaluations {
  all: PairEvaluation[] = []
  maps: FeatureMaps | null = null
  #evaluator: Evaluator | null = null

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

  /** Evaluates both after `step` and tells what came of it. Returns false if it was stopped half-way. */
  async hold(step: number, models: Record<'plain' | 'iat', AuClassifier>, stopped: () => boolean) {
    const evaluator = await this.#open()
    const plain = await evaluator.evaluate(this.runtime, models.plain)
    if (stopped()) return false
    const iat = await evaluator.evaluate(this.runtime, models.iat)
    const plainMap = mapFeatures(plain.mapped, this.maps?.plain ?? null)
    const iatMap = mapFeatures(iat.mapped, this.maps?.iat ?? plainMap)
    const { mapSubjects: subjects, mapKnown: known } = evaluator
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
    this.hooks.tell({ type: 'pairEvaluations', facts, evaluations: this.all })
    if (this.maps) this.hooks.tell({ type: 'featureMaps', maps: this.maps })
  }

  async #open(): Promise<Evaluator> {
    this.#evaluator ??= new Evaluator(await this.hooks.faces())
    return this.#evaluator
  }
}

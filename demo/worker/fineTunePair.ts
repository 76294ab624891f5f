import type { Runtime } from '../../src/engine/runtime.js'
import { UserError } from '../../src/errors.js'
import type { VitConfig } from '../../src/model/config.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import type { FineTuning } from '../../src/train/loop/fineTuning.js'
import {
  type FineTunePlan,
  type FineTuneSettings,
  fineTunePlanSchema,
  type RunStatus,
  type StoredPair,
  storedPairSchema,
  type WorkerEvent,
} from '../protocol.js'
import type { Faces } from './faces.js'
import { fineTuneRun } from './fineTuneRun.js'
import { type Control, type Progress, statusOf, type Trainable } from './lifeCycle.js'
import { PairEvaluations } from './pairEvaluations.js'
import { RunStore } from './runStore.js'
import type { Training } from './training.js'

/** Where both classifiers start. */
export interface StartingEncoder {
  readonly config: VitConfig
  /** Step of the pretraining run, and its checkpoint; null for a start at random. */
  readonly pretrained: { readonly step: number; readonly file: SafetensorsFile } | null
}

interface Hooks {
  readonly tell: (event: WorkerEvent) => void
  readonly faces: () => Promise<Faces>
  readonly encoder: () => Promise<StartingEncoder>
}

/** A turn of one classifier takes about so long, so that both curves grow together. */
const TURN_MS = 3_000
const STEPS_PER_TURN = { first: 5, least: 5, most: 50 }
/**
 * Training between two evaluations takes so many times as long as one did: they get a quarter of the time at
 * most.
 */
const TRAINING_PER_EVALUATION = 3
/** What an evaluation is taken to cost before there was one since the page was loaded. */
const ASSUMED_EVALUATION_MS = 5_000

/**
 * Two classifiers of the same faces, from the same weights, in the same order. One of them has an identity
 * head behind gradient reversal. They take turns on the device, are evaluated together, and have one life
 * cycle.
 */
export class FineTunePair implements Trainable<FineTuneSettings> {
  readonly title = 'fine-tuning run'
  readonly plain: Training<FineTunePlan>
  readonly iat: Training<FineTunePlan>
  readonly #store: RunStore<StoredPair>
  readonly #evaluations: PairEvaluations
  #plan: FineTunePlan | null = null
  /** While the two are made. */
  #encoder: SafetensorsFile | null = null
  #evaluating = false
  #stepsPerTurn = STEPS_PER_TURN.first
  #evaluationMs = ASSUMED_EVALUATION_MS
  #trainedMs = 0

  constructor(
    readonly runtime: Runtime,
    readonly hooks: Hooks,
  ) {
    const { tell, faces } = hooks
    this.#store = new RunStore({ folder: [], file: 'fineTune.json', schema: storedPairSchema }, tell)
    this.#evaluations = new PairEvaluations(runtime, { tell, faces })
    const each = {
      tell,
      settings: fineTunePlanSchema,
      data: async () => {
        const { data, loader } = await faces()
        return { ...data, loader }
      },
      encoder: () => this.#encoder,
    }
    this.plain = fineTuneRun('fineTunePlain', runtime, each, () => 0)
    this.iat = fineTuneRun('fineTuneIat', runtime, each, ({ lambda }) => lambda)
  }

  /** Of the steps that both have done. Finished with the evaluation after the last one. */
  get progress(): Progress | null {
    const [plain, iat] = [this.plain.progress, this.iat.progress]
    if (!this.#plan || !plain || !iat) return null
    const step = Math.min(plain.step, iat.step)
    const finished = step >= plain.totalSteps && this.#evaluations.lastStep === step
    return { ...plain, step, finished }
  }

  tellStatus(status: RunStatus): void {
    this.hooks.tell({ type: 'fineTune', status, plan: this.#plan, evaluating: this.#evaluating })
    for (const training of this.#both) training.tellStatus({ ...status, step: training.progress?.step ?? 0 })
  }

  async make(settings: FineTuneSettings): Promise<void> {
    const { config, pretrained } = await this.hooks.encoder()
    const plan = fineTunePlanSchema.parse({
      ...settings,
      encoder: config,
      pretrainStep: pretrained?.step ?? null,
    })
    this.#encoder = pretrained?.file ?? null
    try {
      for (const training of this.#both) {
        await training.make(plan)
        await training.save(false)
      }
    } finally {
      this.#encoder = null
    }
    this.#plan = plan
  }

  async load(): Promise<boolean> {
    const saved = await this.#store.load()
    if (!saved) return false
    for (const training of this.#both) {
      await training.load()
      if (!training.run) throw new UserError(`the ${training.title} is missing`)
    }
    this.#plan = saved.plan
    const { step } = this.progress!
    this.#evaluations.all = saved.evaluations.filter((evaluation) => evaluation.step <= step)
    this.#evaluations.maps = saved.maps
    await this.#evaluations.tell()
    return saved.running
  }

  async train(steps: number, control: Control): Promise<void> {
    await this.save(control.goesOn)
    const { step, totalSteps } = this.progress!
    // At the start, and at the end where the last evaluation was not finished.
    if (this.#evaluations.lastStep === null || step >= totalSteps) await this.#evaluate(control)
    const end = Math.min(totalSteps, step + steps)
    while (!control.stopping && this.progress!.step < end) {
      const target = Math.min(end, this.progress!.step + this.#stepsPerTurn)
      if (!(await this.#takeTurns(target, control))) break
      this.#tellRunning()
      const due = this.#trainedMs >= TRAINING_PER_EVALUATION * this.#evaluationMs
      if (due || target === end) await this.#evaluate(control)
    }
  }

  async save(goesOn: boolean): Promise<void> {
    const { all: evaluations, maps } = this.#evaluations
    await this.#store.save({ plan: this.#plan!, evaluations, maps, running: goesOn })
  }

  endStored(): Promise<void> {
    return this.#store.endRunning()
  }

  drop(): void {
    for (const training of this.#both) training.drop()
    this.#plan = null
    this.#evaluations.clear()
    this.#stepsPerTurn = STEPS_PER_TURN.first
  }

  async clear(): Promise<void> {
    for (const training of this.#both) await training.clear()
    await this.#store.clear()
  }

  /** Both train up to step `target`. False if they were stopped before. */
  async #takeTurns(target: number, control: Control): Promise<boolean> {
    for (const training of this.#both) {
      const missing = target - training.progress!.step
      if (missing <= 0) continue
      if (control.stopping) return false
      const started = performance.now()
      await training.train(missing, control)
      // Whether the two go on is saved once, for both.
      await training.save(false)
      const milliseconds = performance.now() - started
      if (training.progress!.step < target) return false
      this.#trainedMs += milliseconds
      const fitting = Math.round((TURN_MS * missing) / milliseconds)
      this.#stepsPerTurn = Math.max(STEPS_PER_TURN.least, Math.min(STEPS_PER_TURN.most, fitting))
    }
    return true
  }

  async #evaluate(control: Control): Promise<void> {
    this.#evaluating = true
    this.#tellRunning()
    const started = performance.now()
    const models = { plain: modelOf(this.plain), iat: modelOf(this.iat) }
    try {
      if (!(await this.#evaluations.hold(this.progress!.step, models, () => control.stopping))) return
      this.#evaluationMs = performance.now() - started
      this.#trainedMs = 0
      await this.save(control.goesOn)
    } finally {
      this.#evaluating = false
      this.#tellRunning()
    }
  }

  get #both(): readonly Training<FineTunePlan>[] {
    return [this.plain, this.iat]
  }

  #tellRunning(): void {
    this.tellStatus(statusOf('running', this.progress!))
  }
}

function modelOf(training: Training<FineTunePlan>) {
  return (training.run as FineTuning).model
}

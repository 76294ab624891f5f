import { proxyMarker } from 'comlink'
import type { Runtime } from '../../src/engine/runtime.js'
import { describeError, UserError } from '../../src/errors.js'
import type { VitConfig } from '../../src/model/config.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import type { FineTuning } from '../../src/train/loop/fineTuning.js'
import { oneAfterOther } from '../oneAfterOther.js'
import {
  type FineTunePlan,
  type FineTuneSettings,
  fineTunePlanSchema,
  type RunState,
  type RunStatus,
  type WorkerEvent,
} from '../protocol.js'
import { AGAIN } from './damagedRun.js'
import type { Faces } from './faces.js'
import { fineTuneRun } from './fineTuneRun.js'
import { FineTuneStore } from './fineTuneStore.js'
import { PairEvaluations } from './pairEvaluations.js'
import type { TrainingJob } from './training.js'
import type { ModelSource } from './tryIt.js'

/** Where both classifiers start. */
export interface StartingEncoder {
  readonly config: VitConfig
  /** Step of act 1, and its checkpoint; null for a start at random. */
  readonly pretrained: { readonly step: number; readonly file: SafetensorsFile } | null
}

interface Hooks {
  readonly tell: (event: WorkerEvent) => void
  /** Asks whatever else trains to stop: one training at a time. */
  readonly takeTurn: () => Promise<void>
  readonly faces: () => Promise<Faces>
  readonly encoder: () => Promise<StartingEncoder>
}

/** A turn of one classifier takes about so long, so that both curves grow together. */
const TURN_MS = 3_000
const STEPS_PER_TURN = { first: 5, least: 5, most: 50 }
/** Training between two evaluations takes so many times as long as an evaluation did: evaluations get a quarter of the time at most. */
const TRAINING_PER_EVALUATION = 3
/** What an evaluation is taken to cost before there was one since the page was loaded. */
const ASSUMED_EVALUATION_MS = 5_000

/**
 * Act 2: two classifiers of the same faces, from the same weights, in the same order. One of them has an identity head behind gradient
 * reversal. They take turns on the device, are evaluated together, and are kept in the browser's storage.
 */
export class FineTunePair {
  /** The page calls it where it is. */
  readonly [proxyMarker] = true
  readonly plain: TrainingJob<FineTunePlan>
  readonly iat: TrainingJob<FineTunePlan>
  /** What makes, reads or replaces the two: between its awaits nothing else may. `pause` waits for the loop alone. */
  readonly #inTurn = oneAfterOther()
  readonly #store = new FineTuneStore()
  readonly #evaluations: PairEvaluations
  #plan: FineTunePlan | null = null
  /** While the two are made. */
  #encoder: SafetensorsFile | null = null
  #state: RunState = 'empty'
  #loop: Promise<void> | null = null
  #stopping = false
  /** Until they are paused; they may rest in between, for a file of one of them or with a hidden page. */
  #goesOn = false
  #hidden = false
  #evaluating = false
  #stepsPerTurn = STEPS_PER_TURN.first
  #evaluationMs = ASSUMED_EVALUATION_MS
  #trainedMs = 0

  constructor(
    readonly runtime: Runtime,
    readonly hooks: Hooks,
  ) {
    const { tell, faces } = hooks
    this.#evaluations = new PairEvaluations(runtime, { tell, faces })
    const each = {
      tell,
      // The two share one turn.
      takeTurn: async () => {},
      data: async () => {
        const { data, loader } = await faces()
        return { loader, train: data.train, aus: data.aus, subjects: data.subjects }
      },
      encoder: () => this.#encoder,
    }
    this.plain = fineTuneRun('fineTunePlain', runtime, each, () => 0)
    this.iat = fineTuneRun('fineTuneIat', runtime, each, ({ lambda }) => lambda)
  }

  /** Takes up what storage holds. Returns whether it was running when the page was left. */
  restore(): Promise<boolean> {
    return this.#inTurn(() => this.#restore())
  }

  async #restore(): Promise<boolean> {
    try {
      const saved = await this.#store.load()
      if (!saved) return false
      for (const run of this.#runs) {
        await run.load((plan) => fineTunePlanSchema.parse(plan))
        if (!run.run) throw new UserError(`nothing is saved of ${run.hooks.name}`)
      }
      this.#plan = saved.plan
      this.#evaluations.all = saved.evaluations.filter(({ step }) => step <= this.#step)
      this.#evaluations.maps = saved.maps
      this.#setState(this.#finished ? 'finished' : 'paused')
      await this.#evaluations.tell()
      return saved.running
    } catch (error) {
      // What is saved stays: the faces may only have been out of reach.
      this.#forget()
      this.#fail(`The saved fine-tuning of act 2 cannot be taken up: ${describeError(error)} ${AGAIN}`)
      return false
    }
  }

  /** Begins with `settings`, or goes on. Returns at once; `pause` ends it. */
  begin(settings: FineTuneSettings): Promise<void> {
    return this.#whenReady(settings, async () => this.#start())
  }

  /** Goes on, if there is something to go on with. */
  resume(): Promise<void> {
    return this.#inTurn(async () => this.#start())
  }

  /** One step of each, and an evaluation. */
  step(settings: FineTuneSettings): Promise<void> {
    return this.#whenReady(settings, async () => {
      if (this.#state !== 'finished') await this.#run(1)
    })
  }

  /** Stops after the step at hand, or half-way through an evaluation. */
  async pause(): Promise<void> {
    const wentOn = this.#goesOn
    this.#goesOn = false
    await this.#stop()
    // What was saved at a rest says that they go on.
    if (wentOn) await this.#store.endRunning()
  }

  /** The page is hidden. A browser may end it then, so storage is told that the two go on. */
  async rest(): Promise<void> {
    this.#hidden = true
    // A single step is done to its end.
    if (this.#goesOn) await this.#stop()
  }

  /** The page is in sight again: they go on, unless they were paused. */
  wake(): void {
    this.#hidden = false
    this.#inTurn(async () => this.#goOn())
  }

  async #stop(): Promise<void> {
    this.#stopping = true
    for (const run of this.#runs) await run.pause()
    await this.#loop
  }

  #start(): void {
    if (this.#state !== 'paused') return
    this.#goesOn = true
    this.#goOn()
  }

  #goOn(): void {
    if (this.#goesOn && !this.#hidden && !this.#loop) this.#run(Number.POSITIVE_INFINITY)
  }

  /** One of the two as a model to look through. */
  source(name: 'plain' | 'iat'): ModelSource {
    const run = this[name]
    return { run: run.run, info: run.info, download: () => this.#download(run) }
  }

  /** Both wait for it: what one of them does alone would end their turns. */
  #download(run: TrainingJob<FineTunePlan>): Promise<Uint8Array[]> {
    return this.#inTurn(async () => {
      await this.#stop()
      try {
        return await run.download()
      } finally {
        // Unless they were paused in the meantime.
        this.#goOn()
      }
    })
  }

  /** Throws both away, their files too. */
  reset(): Promise<void> {
    return this.#inTurn(async () => {
      await this.pause()
      for (const run of this.#runs) await run.reset()
      await this.#store.clear()
      this.#forget()
    })
  }

  #forget(): void {
    this.#plan = null
    this.#evaluations.clear()
    this.#stepsPerTurn = STEPS_PER_TURN.first
    this.#setState('empty')
  }

  /** Does `work` in its turn, when the two are made and nothing trains. */
  async #whenReady(settings: FineTuneSettings, work: () => Promise<void>): Promise<void> {
    // Not in turn: this waits for what storage holds, which is taken up in turn.
    await this.hooks.takeTurn()
    await this.#inTurn(async () => {
      await this.pause()
      if (!this.#plan) await this.#make(settings)
      // Something else may have begun while this waited, or while the two were made.
      await this.hooks.takeTurn()
      await work()
    })
  }

  async #make(settings: FineTuneSettings): Promise<void> {
    const { config, pretrained } = await this.hooks.encoder()
    const plan = fineTunePlanSchema.parse({
      ...settings,
      encoder: config,
      pretrainStep: pretrained?.step ?? null,
    })
    this.#encoder = pretrained?.file ?? null
    try {
      for (const run of this.#runs) await run.prepare(plan)
    } finally {
      this.#encoder = null
    }
    this.#plan = plan
    this.#setState('paused')
  }

  #run(steps: number): Promise<void> {
    this.#stopping = false
    this.#loop = this.#train(steps).finally(() => {
      this.#loop = null
    })
    return this.#loop
  }

  async #train(steps: number): Promise<void> {
    this.#setState('running')
    await this.#save()
    try {
      // At the start, and at the end where the last evaluation was not finished.
      if (this.#evaluations.lastStep === null || this.#step >= this.#total) await this.#evaluate()
      const end = Math.min(this.#total, this.#step + steps)
      while (!this.#stopping && this.#step < end) {
        const target = Math.min(end, this.#step + this.#stepsPerTurn)
        if (!(await this.#takeTurns(target))) break
        this.#tellStatus()
        const due = this.#trainedMs >= TRAINING_PER_EVALUATION * this.#evaluationMs
        if (due || target === end) await this.#evaluate()
      }
    } catch (error) {
      this.#goesOn = false
      this.#fail(describeError(error))
    }
    if (!this.#stopping || this.#finished) this.#goesOn = false
    this.#setState(this.#finished ? 'finished' : 'paused')
    await this.#save()
  }

  /** Both train up to step `target`. False if they were stopped before, or one failed. */
  async #takeTurns(target: number): Promise<boolean> {
    for (const run of this.#runs) {
      const missing = target - run.status.step
      if (missing <= 0) continue
      if (this.#stopping) return false
      const started = performance.now()
      await run.advance(missing, this.#plan!)
      const milliseconds = performance.now() - started
      if (run.status.step < target) return false
      this.#trainedMs += milliseconds
      const fitting = Math.round((TURN_MS * missing) / milliseconds)
      this.#stepsPerTurn = Math.max(STEPS_PER_TURN.least, Math.min(STEPS_PER_TURN.most, fitting))
    }
    return true
  }

  async #evaluate(): Promise<void> {
    this.#evaluating = true
    this.#tellStatus()
    const started = performance.now()
    const models = { plain: modelOf(this.plain), iat: modelOf(this.iat) }
    try {
      if (!(await this.#evaluations.hold(this.#step, models, () => this.#stopping))) return
      this.#evaluationMs = performance.now() - started
      this.#trainedMs = 0
      await this.#save()
    } finally {
      this.#evaluating = false
      this.#tellStatus()
    }
  }

  async #save(): Promise<void> {
    const { all: evaluations, maps } = this.#evaluations
    await this.#store.save({ plan: this.#plan!, evaluations, maps, running: this.#goesOn })
  }

  get #runs(): readonly TrainingJob<FineTunePlan>[] {
    return [this.plain, this.iat]
  }

  /** Steps that both have done. */
  get #step(): number {
    return Math.min(this.plain.status.step, this.iat.status.step)
  }

  get #total(): number {
    return this.plain.status.totalSteps
  }

  /** All steps are done, and the scores after the last one are there. */
  get #finished(): boolean {
    return this.#step >= this.#total && this.#evaluations.lastStep === this.#step
  }

  #fail(text: string): void {
    this.hooks.tell({ type: 'failed', run: 'fineTuneIat', text })
  }

  #setState(state: RunState): void {
    this.#state = state
    this.#tellStatus()
  }

  #tellStatus(): void {
    const { totalSteps, epochs } = this.plain.status
    const status: RunStatus = { state: this.#state, step: this.#step, totalSteps, epochs }
    this.hooks.tell({ type: 'fineTune', status, plan: this.#plan, evaluating: this.#evaluating })
  }
}

function modelOf(run: TrainingJob<FineTunePlan>) {
  return (run.run as FineTuning).model
}

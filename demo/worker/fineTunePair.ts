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
  type JobState,
  type JobStatus,
  type StudioEvent,
} from '../protocol.js'
import { AGAIN } from './damagedRun.js'
import type { Faces } from './faces.js'
import { FineTuneExams } from './fineTuneExams.js'
import { fineTuneJob } from './fineTuneJob.js'
import { FineTuneStore } from './fineTuneStore.js'
import type { TrainingJob } from './trainingJob.js'
import type { ModelSource } from './tryIt.js'

/** Where both classifiers start. */
export interface StartingEncoder {
  readonly config: VitConfig
  /** Step of act 1, and its checkpoint; null for a start at random. */
  readonly pretrained: { readonly step: number; readonly file: SafetensorsFile } | null
}

interface Hooks {
  readonly tell: (event: StudioEvent) => void
  /** Asks whatever else trains to stop: one training at a time. */
  readonly takeTurn: () => Promise<void>
  readonly faces: () => Promise<Faces>
  readonly encoder: () => Promise<StartingEncoder>
}

/** A turn of one classifier takes about so long, so that both curves grow together. */
const TURN_MS = 3_000
const STEPS_PER_TURN = { first: 5, least: 5, most: 50 }
/** Training between two exams takes so many times as long as an exam did: exams get a quarter of the time at most. */
const TRAINING_PER_EXAM = 3
/** What an exam is taken to cost before there was one since the page was loaded. */
const ASSUMED_EXAM_MS = 5_000

/**
 * Act 2: two classifiers of the same faces, from the same weights, in the same order. One of them has an identity head behind gradient
 * reversal. They take turns on the device, are examined together, and are kept in the browser's storage.
 */
export class FineTunePair {
  /** The page calls it where it is. */
  readonly [proxyMarker] = true
  readonly plain: TrainingJob<FineTunePlan>
  readonly iat: TrainingJob<FineTunePlan>
  /** What makes, reads or replaces the two: between its awaits nothing else may. `pause` waits for the loop alone. */
  readonly #inTurn = oneAfterOther()
  readonly #store = new FineTuneStore()
  readonly #exams: FineTuneExams
  #plan: FineTunePlan | null = null
  /** While the two are made. */
  #encoder: SafetensorsFile | null = null
  #state: JobState = 'empty'
  #loop: Promise<void> | null = null
  #stopping = false
  /** Until they are paused; they may rest in between, for a file of one of them or with a hidden page. */
  #goesOn = false
  #hidden = false
  #examining = false
  #stepsPerTurn = STEPS_PER_TURN.first
  #examMs = ASSUMED_EXAM_MS
  #trainedMs = 0

  constructor(
    readonly runtime: Runtime,
    readonly hooks: Hooks,
  ) {
    const { tell, faces } = hooks
    this.#exams = new FineTuneExams(runtime, { tell, faces })
    const each = {
      tell,
      // The two share one turn.
      takeTurn: async () => {},
      data: async () => {
        const { data, loader } = await faces()
        return { ...data, loader }
      },
      encoder: () => this.#encoder,
    }
    this.plain = fineTuneJob('fineTunePlain', runtime, each, () => 0)
    this.iat = fineTuneJob('fineTuneIat', runtime, each, ({ lambda }) => lambda)
  }

  /** Takes up what storage holds. Returns whether it was running when the page was left. */
  restore(): Promise<boolean> {
    return this.#inTurn(() => this.#restore())
  }

  async #restore(): Promise<boolean> {
    try {
      const saved = await this.#store.load()
      if (!saved) return false
      for (const job of this.#jobs) {
        await job.load((plan) => fineTunePlanSchema.parse(plan))
        if (!job.run) throw new UserError(`nothing is saved of ${job.hooks.name}`)
      }
      this.#plan = saved.plan
      this.#exams.all = saved.exams.filter(({ step }) => step <= this.#step)
      this.#exams.maps = saved.maps
      this.#setState(this.#finished ? 'finished' : 'paused')
      await this.#exams.tell()
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

  /** One step of each, and an exam. */
  step(settings: FineTuneSettings): Promise<void> {
    return this.#whenReady(settings, async () => {
      if (this.#state !== 'finished') await this.#run(1)
    })
  }

  /** Stops after the step at hand, or half-way through an exam. */
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
    for (const job of this.#jobs) await job.pause()
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
    const job = this[name]
    return { run: job.run, info: job.info, download: () => this.#download(job) }
  }

  /** Both wait for it: what one of them does alone would end their turns. */
  #download(job: TrainingJob<FineTunePlan>): Promise<Uint8Array[]> {
    return this.#inTurn(async () => {
      await this.#stop()
      try {
        return await job.download()
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
      for (const job of this.#jobs) await job.reset()
      await this.#store.clear()
      this.#forget()
    })
  }

  #forget(): void {
    this.#plan = null
    this.#exams.clear()
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
      for (const job of this.#jobs) await job.prepare(plan)
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
      // At the start, and at the end where the last exam was not finished.
      if (this.#exams.lastStep === null || this.#step >= this.#total) await this.#examine()
      const end = Math.min(this.#total, this.#step + steps)
      while (!this.#stopping && this.#step < end) {
        const target = Math.min(end, this.#step + this.#stepsPerTurn)
        if (!(await this.#takeTurns(target))) break
        this.#tellStatus()
        const due = this.#trainedMs >= TRAINING_PER_EXAM * this.#examMs
        if (due || target === end) await this.#examine()
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
    for (const job of this.#jobs) {
      const missing = target - job.status.step
      if (missing <= 0) continue
      if (this.#stopping) return false
      const started = performance.now()
      await job.advance(missing, this.#plan!)
      const milliseconds = performance.now() - started
      if (job.status.step < target) return false
      this.#trainedMs += milliseconds
      const fitting = Math.round((TURN_MS * missing) / milliseconds)
      this.#stepsPerTurn = Math.max(STEPS_PER_TURN.least, Math.min(STEPS_PER_TURN.most, fitting))
    }
    return true
  }

  async #examine(): Promise<void> {
    this.#examining = true
    this.#tellStatus()
    const started = performance.now()
    const models = { plain: modelOf(this.plain), iat: modelOf(this.iat) }
    try {
      if (!(await this.#exams.hold(this.#step, models, () => this.#stopping))) return
      this.#examMs = performance.now() - started
      this.#trainedMs = 0
      await this.#save()
    } finally {
      this.#examining = false
      this.#tellStatus()
    }
  }

  async #save(): Promise<void> {
    const { all: exams, maps } = this.#exams
    await this.#store.save({ plan: this.#plan!, exams, maps, running: this.#goesOn })
  }

  get #jobs(): readonly TrainingJob<FineTunePlan>[] {
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
    return this.#step >= this.#total && this.#exams.lastStep === this.#step
  }

  #fail(text: string): void {
    this.hooks.tell({ type: 'failed', job: 'fineTuneIat', text })
  }

  #setState(state: JobState): void {
    this.#state = state
    this.#tellStatus()
  }

  #tellStatus(): void {
    const { totalSteps, epochs } = this.plain.status
    const status: JobStatus = { state: this.#state, step: this.#step, totalSteps, epochs }
    this.hooks.tell({ type: 'fineTune', status, plan: this.#plan, examining: this.#examining })
  }
}

function modelOf(job: TrainingJob<FineTunePlan>) {
  return (job.run as FineTuning).model
}

import * as z from 'zod'
import type { Choices } from '../../src/engine/variants.js'
import { UserError } from '../../src/errors.js'
import {
  type CheckpointInfo,
  encodeCheckpoint,
  restoreCheckpoint,
} from '../../src/train/checkpoint/checkpoint.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { settleVariants } from '../../src/train/loop/settleVariants.js'
import { type StepRecord, stepsPerEpoch, trainLoop } from '../../src/train/loop/trainLoop.js'
import type { TrainingRun } from '../../src/train/trainingRun.js'
import {
  type Evaluation,
  type RunName,
  type RunStatus,
  type StepPoint,
  type StoredHistory,
  storedHistorySchema,
  type WorkerEvent,
} from '../protocol.js'
import { runTitles } from './damagedRun.js'
import { type Control, type LifeCycle, type Progress, statusOf, type Trainable } from './lifeCycle.js'
import { RunStore } from './runStore.js'

/** The life cycle of a single training. */
export type Run<Settings> = LifeCycle<Settings, Training<Settings>>

/** A network of the page, to be read while nothing trains. */
export interface ModelSource {
  readonly run: TrainingRun | null
  /** What its checkpoints say of it. */
  readonly info: CheckpointInfo | null
  /**
   * The network as a file of the command line's format.
   * @throws UserError if it was thrown away before its turn came
   */
  readonly download: () => Promise<Uint8Array[]>
}

/** What a run under the user's hand is made of. */
export interface MadeRun {
  readonly run: TrainingRun
  readonly info: CheckpointInfo
  /** Gives the run's device memory back. */
  readonly release: () => void
}

/** A run is saved this often, so that a reload loses little. */
const SAVE_EVERY_MS = 10_000
/** Images and scores are drawn anew this often at most; they take time from training. */
const VIEW_EVERY_MS = 2_000

export interface TrainingHooks<Settings> {
  readonly name: RunName
  readonly tell: (event: WorkerEvent) => void
  /** Checks settings when they come back from storage. */
  readonly settings: z.ZodType<Settings>
  /** Makes a run from the start. */
  readonly make: (settings: Settings) => Promise<MadeRun>
  /** Shows how far it is; training waits for it. */
  readonly show: (run: TrainingRun, step: number) => Promise<void>
  /** Evaluates a classifier after each epoch; training waits for it. */
  readonly evaluate?: (run: TrainingRun, epoch: number) => Promise<Evaluation>
}

/** What a run did before it was saved. */
type Past = Pick<StoredHistory<unknown>, 'steps' | 'evaluations'>
const NO_PAST: Past = { steps: [], evaluations: [] }

/** One network that trains in the page by the loop of the command line, with its curve and its files. */
export class Training<Settings> implements Trainable<Settings> {
  readonly title: string
  readonly #store: RunStore<StoredHistory<Settings>>
  #current: { made: MadeRun; settings: Settings } | null = null
  #steps: StepPoint[] = []
  #evaluations: Evaluation[] = []
  /** The kernel variants that were settled on for this run. */
  #choices: Choices = {}
  #lastSave = 0
  #lastView = 0

  constructor(readonly hooks: TrainingHooks<Settings>) {
    const { name, settings, tell } = hooks
    this.title = runTitles[name]
    const schema = storedHistorySchema.and(z.object({ settings }))
    this.#store = new RunStore({ folder: ['runs', name], file: 'history.json', schema }, tell)
  }

  get run(): TrainingRun | null {
    return this.#current?.made.run ?? null
  }

  /** With what the run was begun. */
  get settings(): Settings | null {
    return this.#current?.settings ?? null
  }

  get progress(): Progress | null {
    const { run } = this
    if (!run) return null
    const step = run.optimizer.stepCount
    const totalSteps = stepsPerEpoch(run.batches, run.settings.accumulation) * run.schedule.epochs
    return { step, totalSteps, epochs: run.schedule.epochs, finished: step >= totalSteps }
  }

  /** `lifeCycle`: of this training, or of the pair that it belongs to. */
  source(lifeCycle: Pick<LifeCycle<Settings, this>, 'atRest'>): ModelSource {
    const info = this.#current?.made.info ?? null
    const encode = async () => {
      if (!this.#current) throw new UserError('This run was reset before its file was made.')
      return [...(await this.#encode('this run'))]
    }
    return { run: this.run, info, download: () => lifeCycle.atRest(encode) }
  }

  tellStatus(status: RunStatus): void {
    this.hooks.tell({ type: 'status', run: this.hooks.name, status })
  }

  /**
   * What storage holds of it, which is not taken up by that; null if nothing.
   * @throws UserError where it is damaged
   */
  stored(): Promise<StoredHistory<Settings> | null> {
    return this.#store.load()
  }

  async load(): Promise<boolean> {
    const history = await this.#store.load()
    const checkpoint = history && (await this.#store.loadCheckpoint())
    if (!checkpoint) return false
    await this.make(history.settings, checkpoint, history)
    await this.show()
    return history.running
  }

  /** Makes a run from the start, or from a checkpoint. The run before it stays if that fails. */
  async make(settings: Settings, checkpoint: SafetensorsFile | null = null, past = NO_PAST): Promise<void> {
    const made = await this.hooks.make(settings)
    let pinned: Choices | null = null
    try {
      if (checkpoint) pinned = restoreCheckpoint(checkpoint, 'the checkpoint', made.run, made.info)
    } catch (error) {
      made.release()
      throw error
    }
    this.drop()
    this.#current = { made, settings }
    const { name, tell } = this.hooks
    await settleVariants(made.run, { tune: true, pinned, say: (text) => tell({ type: 'note', text }) })
    this.#choices = made.run.runtime.variants.inUse
    const done = made.run.optimizer.stepCount
    this.#steps = past.steps.filter(({ step }) => step <= done)
    this.#evaluations = past.evaluations.filter(({ step }) => step <= done)
    tell({ type: 'history', run: name, settings, steps: this.#steps })
    this.#tellEvaluations()
  }

  async train(steps: number, control: Control): Promise<void> {
    const { run } = this.#current!.made
    // Another run may have settled on others in the meantime.
    run.runtime.variants.use(this.#choices)
    const stopAt = run.optimizer.stepCount + steps
    // Saved after the first steps: from then on a reload finds a run that goes on. A few steps are saved at
    // their end.
    this.#lastSave = Number.isFinite(steps) ? performance.now() : Number.NEGATIVE_INFINITY
    await trainLoop({
      run,
      stopRequested: () => control.stopping || run.optimizer.stepCount >= stopAt,
      onSteps: (records, imagesPerSecond) => this.#afterSteps(records, imagesPerSecond, control),
      onEpoch: (epoch) => this.#evaluate(epoch),
    })
    await this.show()
  }

  async show(): Promise<void> {
    const { run } = this.#current!.made
    await this.hooks.show(run, run.optimizer.stepCount)
    this.#lastView = performance.now()
  }

  async save(goesOn: boolean): Promise<void> {
    const { settings } = this.#current!
    const state = { settings, steps: this.#steps, evaluations: this.#evaluations, running: goesOn }
    await this.#store.save(state, () => this.#encode(`${this.hooks.name} in the browser's storage`))
    this.#lastSave = performance.now()
  }

  endStored(): Promise<void> {
    return this.#store.endRunning()
  }

  drop(): void {
    this.#current?.made.release()
    this.#current = null
    this.#steps = []
    this.#evaluations = []
  }

  clear(): Promise<void> {
    return this.#store.clear()
  }

  async #afterSteps(records: readonly StepRecord[], imagesPerSecond: number, control: Control) {
    const { run } = this.#current!.made
    const { name, tell } = this.hooks
    const steps = records.map(({ step, losses }) => ({ step, losses }))
    this.#steps.push(...steps)
    const { batchSize, accumulation } = run.settings
    const speed = {
      imagesPerSecond,
      millisecondsPerStep: (1000 * batchSize * accumulation) / imagesPerSecond,
      deviceBytes: run.runtime.memory.usage.bufferBytes,
    }
    tell({ type: 'steps', run: name, steps, speed })
    this.tellStatus(statusOf('running', this.progress!))
    if (performance.now() - this.#lastView > VIEW_EVERY_MS) await this.show()
    if (performance.now() - this.#lastSave > SAVE_EVERY_MS) await this.save(control.goesOn)
  }

  async #evaluate(epoch: number): Promise<void> {
    if (!this.hooks.evaluate) return
    this.#evaluations.push(await this.hooks.evaluate(this.run!, epoch))
    this.#tellEvaluations()
  }

  #tellEvaluations(): void {
    this.hooks.tell({ type: 'evaluations', run: this.hooks.name, evaluations: this.#evaluations })
  }

  #encode(file: string): Promise<Iterable<Uint8Array>> {
    const { run, info } = this.#current!.made
    return encodeCheckpoint(file, run, info, this.#choices)
  }
}

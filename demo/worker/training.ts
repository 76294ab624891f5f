import { proxyMarker } from 'comlink'
import type { Choices } from '../../src/engine/tuner.js'
import { describeError, UserError } from '../../src/errors.js'
import {
  type CheckpointInfo,
  encodeCheckpoint,
  restoreCheckpoint,
} from '../../src/train/checkpoint/checkpoint.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { settleVariants } from '../../src/train/loop/settleVariants.js'
import { type StepRecord, stepsPerEpoch, trainLoop } from '../../src/train/loop/trainLoop.js'
import type { TrainingRun } from '../../src/train/trainingRun.js'
import { oneAfterOther } from '../oneAfterOther.js'
import type { Evaluation, RunName, RunState, RunStatus, StepPoint, WorkerEvent } from '../protocol.js'
import { damagedRun } from './damagedRun.js'
import { openStore, type RunStore, type StoredHistory } from './runStore.js'

/** What a run under the user's hand is made of. */
export interface MadeRun {
  readonly run: TrainingRun
  readonly info: CheckpointInfo
  /** Gives the run's device memory back. */
  readonly release: () => void
}

/** A running run is saved this often, so that a reload loses little. */
const SAVE_EVERY_MS = 10_000
/** Pictures and scores are drawn anew this often at most; they take time from training. */
const VIEW_EVERY_MS = 2_000

export interface TrainingHooks<Settings> {
  readonly name: RunName
  readonly tell: (event: WorkerEvent) => void
  /** Asks whatever else trains to stop: one training at a time. */
  readonly takeTurn: () => Promise<void>
  /** Makes a run from the start. */
  readonly make: (settings: Settings) => Promise<MadeRun>
  /** Shows how far it is; training waits for it. */
  readonly show: (run: TrainingRun, step: number) => Promise<void>
  /** Evaluates a classifier after each epoch; training waits for it. */
  readonly evaluate?: (run: TrainingRun, epoch: number) => Promise<Evaluation>
}

/** What a run did before it was saved. */
type Past = Pick<StoredHistory, 'steps' | 'evaluations'>
const NO_PAST: Past = { steps: [], evaluations: [] }

/**
 * One training of the page: starts, pauses, does single steps, and is kept in the browser's storage, from where it goes on after a
 * reload. The training itself is that of the command line (src/train/loop).
 */
export class TrainingJob<Settings> {
  /** The page calls it where it is. */
  readonly [proxyMarker] = true
  /** What makes, reads or replaces the run: between its awaits nothing else may. `pause` waits for the loop alone. */
  readonly #inTurn = oneAfterOther()
  #current: { made: MadeRun; settings: Settings } | null = null
  #steps: StepPoint[] = []
  #evaluations: Evaluation[] = []
  #state: RunState = 'empty'
  #loop: Promise<void> | null = null
  #stopAt = 0
  /** Until it is paused; it may rest in between, for a file of it or with a hidden page. */
  #goesOn = false
  #hidden = false
  /** The kernel variants that were settled on for this run. */
  #choices: Choices = {}
  #store: RunStore | null = null
  #lastSave = 0
  #lastView = 0

  constructor(readonly hooks: TrainingHooks<Settings>) {}

  get run(): TrainingRun | null {
    return this.#current?.made.run ?? null
  }

  /** With what the run was begun. */
  get settings(): Settings | null {
    return this.#current?.settings ?? null
  }

  /** What its checkpoints say of the run. */
  get info(): CheckpointInfo | null {
    return this.#current?.made.info ?? null
  }

  /** As `load`; where storage is damaged the visitor is told so, and nothing was running. */
  async restore(read: (settings: unknown) => Settings): Promise<boolean> {
    try {
      return await this.load(read)
    } catch (error) {
      this.hooks.tell(damagedRun(this.hooks.name, error))
      return false
    }
  }

  /** Takes up what storage holds of this run. Returns whether it was running when the page was left. */
  load(read: (settings: unknown) => Settings): Promise<boolean> {
    return this.#inTurn(async () => {
      this.#store = await openStore(this.hooks.name, this.hooks.tell)
      const saved = await this.#store?.load()
      if (!saved) return false
      const { checkpoint, history } = saved
      await this.#begin(read(history.settings), checkpoint, history)
      await this.#show()
      // Not saved again: storage tells that it was running, until it is paused.
      return history.running
    })
  }

  /** What storage tells of this run, which is not taken up by that; null if there is none. @throws UserError where it is damaged */
  async stored(): Promise<StoredHistory | null> {
    this.#store = await openStore(this.hooks.name, this.hooks.tell)
    return (await this.#store?.loadHistory()) ?? null
  }

  /** Makes a run from the start, without a step yet, and saves it. */
  prepare(settings: Settings): Promise<void> {
    return this.#inTurn(async () => {
      await this.#begin(settings, null, NO_PAST)
      await this.#save()
    })
  }

  /** Replaces the run by one from a checkpoint. */
  take(settings: Settings, checkpoint: SafetensorsFile): Promise<void> {
    return this.#inTurn(async () => {
      await this.#begin(settings, checkpoint, NO_PAST)
      await this.#save()
      await this.#show()
    })
  }

  /** Begins a run with `settings`, or goes on with the one there is. Returns at once; `pause` ends it. */
  begin(settings: Settings): Promise<void> {
    return this.#whenReady(settings, async () => this.#start())
  }

  /** Goes on, if there is something to go on with. */
  resume(): Promise<void> {
    return this.#inTurn(async () => this.#start())
  }

  /** Does so many steps and rests. */
  advance(steps: number, settings: Settings): Promise<void> {
    return this.#whenReady(settings, async () => {
      if (this.#state !== 'finished') await this.#run(this.run!.optimizer.stepCount + steps)
    })
  }

  /** Stops after the step at hand and saves; what it saves does not go on by itself after a reload. */
  async pause(): Promise<void> {
    const wentOn = this.#goesOn
    this.#goesOn = false
    await this.#stop()
    // What was saved at a rest says that it goes on.
    if (wentOn) await this.#endStored()
  }

  /** The page is hidden. A browser may end it then, so storage is told that this run goes on. */
  async rest(): Promise<void> {
    this.#hidden = true
    // Single steps are done to their end.
    if (this.#goesOn) await this.#stop()
  }

  /** The page is in sight again: goes on, unless it was paused. */
  wake(): void {
    this.#hidden = false
    this.#inTurn(async () => this.#goOn())
  }

  async #stop(): Promise<void> {
    this.#stopAt = 0
    await this.#loop
  }

  /** Does `work` in its turn, when there is a run and nothing trains. */
  async #whenReady(settings: Settings, work: () => Promise<void>): Promise<void> {
    // Not in turn: this waits for what storage holds, which is taken up in turn.
    await this.hooks.takeTurn()
    await this.#inTurn(async () => {
      await this.pause()
      if (!this.#current) await this.#begin(settings, null, NO_PAST)
      // Something else may have begun while this waited, or while the run was made.
      await this.hooks.takeTurn()
      await work()
    })
  }

  #start(): void {
    if (this.#state !== 'paused') return
    this.#goesOn = true
    this.#goOn()
  }

  #goOn(): void {
    if (this.#goesOn && !this.#hidden && !this.#loop) this.#run(Number.POSITIVE_INFINITY)
  }

  #run(stopAt: number): Promise<void> {
    this.#stopAt = stopAt
    this.#loop = this.#train().finally(() => {
      this.#loop = null
    })
    return this.#loop
  }

  /** Throws the run away, its files too. */
  reset(): Promise<void> {
    return this.#inTurn(async () => {
      await this.pause()
      this.#drop()
      await this.#store?.clear()
      this.#steps = []
      this.#evaluations = []
      this.#setState('empty')
    })
  }

  /**
   * The run as a file of the command line's format. Training waits for it, so that all tensors are of one step.
   * @throws UserError if the run was thrown away before its turn came
   */
  download(): Promise<Uint8Array[]> {
    return this.#inTurn(async () => {
      await this.#stop()
      if (!this.#current) throw new UserError('This run was thrown away before it could be read.')
      try {
        return [...(await this.#encode('this run'))]
      } finally {
        // Unless it was paused in the meantime.
        this.#goOn()
      }
    })
  }

  async #begin(settings: Settings, checkpoint: SafetensorsFile | null, past: Past): Promise<void> {
    await this.pause()
    const made = await this.hooks.make(settings)
    let pinned: Choices | null = null
    try {
      if (checkpoint) pinned = restoreCheckpoint(checkpoint, 'the checkpoint', made.run, made.info)
    } catch (error) {
      made.release()
      throw error
    }
    this.#drop()
    this.#current = { made, settings }
    this.#store ??= await openStore(this.hooks.name, this.hooks.tell)
    await settleVariants(made.run, {
      tune: true,
      pinned,
      say: (text) => this.hooks.tell({ type: 'note', text }),
    })
    this.#choices = made.run.runtime.variants.inUse
    const done = made.run.optimizer.stepCount
    this.#steps = past.steps.filter(({ step }) => step <= done)
    this.#evaluations = past.evaluations.filter(({ step }) => step <= done)
    this.hooks.tell({ type: 'history', run: this.hooks.name, settings, steps: this.#steps })
    this.#tellEvaluations()
    this.#setState(done >= this.#total ? 'finished' : 'paused')
  }

  #drop(): void {
    this.#current?.made.release()
    this.#current = null
  }

  async #train(): Promise<void> {
    const { run } = this.#current!.made
    // Another run may have settled on others in the meantime.
    run.runtime.variants.use(this.#choices)
    this.#setState('running')
    // Saved after the first steps: from then on a reload finds a run that goes on. A few steps are saved at their end.
    this.#lastSave = Number.isFinite(this.#stopAt) ? performance.now() : Number.NEGATIVE_INFINITY
    try {
      const outcome = await trainLoop({
        run,
        stopRequested: () => run.optimizer.stepCount >= this.#stopAt,
        onSteps: (records, imagesPerSecond) => this.#afterSteps(records, imagesPerSecond),
        onEpoch: (epoch) => this.#evaluate(epoch),
      })
      if (outcome === 'finished') this.#goesOn = false
      this.#setState(outcome === 'finished' ? 'finished' : 'paused')
      await this.#show()
      await this.#save()
    } catch (error) {
      this.#goesOn = false
      this.#setState('paused')
      this.hooks.tell({ type: 'failed', run: this.hooks.name, text: describeError(error) })
      // It would only fail again after a reload.
      await this.#endStored()
    }
  }

  async #afterSteps(records: readonly StepRecord[], imagesPerSecond: number): Promise<void> {
    const { run } = this.#current!.made
    const steps = records.map(({ step, losses }) => ({ step, losses }))
    this.#steps.push(...steps)
    const { batchSize, accumulation } = run.settings
    this.hooks.tell({
      type: 'steps',
      run: this.hooks.name,
      steps,
      speed: {
        imagesPerSecond,
        millisecondsPerStep: (1000 * batchSize * accumulation) / imagesPerSecond,
        deviceBytes: run.runtime.memory.usage.bufferBytes,
      },
    })
    this.hooks.tell({ type: 'status', run: this.hooks.name, status: this.status })
    if (performance.now() - this.#lastView > VIEW_EVERY_MS) await this.#show()
    if (performance.now() - this.#lastSave > SAVE_EVERY_MS) await this.#save()
  }

  async #evaluate(epoch: number): Promise<void> {
    if (!this.hooks.evaluate) return
    this.#evaluations.push(await this.hooks.evaluate(this.run!, epoch))
    this.#tellEvaluations()
  }

  #tellEvaluations(): void {
    this.hooks.tell({ type: 'evaluations', run: this.hooks.name, evaluations: this.#evaluations })
  }

  async #show(): Promise<void> {
    const { run } = this.#current!.made
    await this.hooks.show(run, run.optimizer.stepCount)
    this.#lastView = performance.now()
  }

  #encode(file: string): Promise<Iterable<Uint8Array>> {
    const { run, info } = this.#current!.made
    return encodeCheckpoint(file, run, info, this.#choices)
  }

  async #save(): Promise<void> {
    const { settings } = this.#current!
    await this.#orNote(async () => {
      const checkpoint = await this.#encode(`${this.hooks.name} in the browser's storage`)
      await this.#store?.save(checkpoint, {
        settings,
        steps: this.#steps,
        evaluations: this.#evaluations,
        running: this.#goesOn,
      })
    })
    this.#lastSave = performance.now()
  }

  /** After a reload the run does not go on by itself; what was saved of it stays. */
  async #endStored(): Promise<void> {
    await this.#orNote(async () => this.#store?.endRunning())
  }

  async #orNote(save: () => Promise<void>): Promise<void> {
    try {
      await save()
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
      const text = `The run could not be saved (${error.message}): a reload would lose it.`
      this.hooks.tell({ type: 'note', text })
    }
  }

  get #total(): number {
    const { run } = this.#current!.made
    return stepsPerEpoch(run.batches, run.settings.accumulation) * run.schedule.epochs
  }

  get status(): RunStatus {
    const run = this.run
    if (!run) return { state: 'empty', step: 0, totalSteps: 0, epochs: 0 }
    return {
      state: this.#state,
      step: run.optimizer.stepCount,
      totalSteps: this.#total,
      epochs: run.schedule.epochs,
    }
  }

  #setState(state: RunState): void {
    this.#state = state
    this.hooks.tell({ type: 'status', run: this.hooks.name, status: this.status })
  }
}

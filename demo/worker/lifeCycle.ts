import { proxyMarker } from 'comlink'
import { oneAfterOther } from '../oneAfterOther.js'
import type { RunState, RunStatus, WorkerEvent } from '../protocol.js'
import { damagedRun, reasonOf } from './damagedRun.js'

/** How far a training is. */
export interface Progress extends Omit<RunStatus, 'state'> {
  readonly finished: boolean
}

/** What a training asks while it is under way. */
export interface Control {
  /** It shall end after the step at hand. */
  readonly stopping: boolean
  /** What is saved now goes on by itself after a reload. */
  readonly goesOn: boolean
}

/** What has a life cycle: one training, or two that take turns. */
export interface Trainable<Settings> {
  /** "pretraining": what sentences call it. */
  readonly title: string
  /** Null while nothing is made. */
  readonly progress: Progress | null
  tellStatus(status: RunStatus): void
  /** Makes it from the start. */
  make(settings: Settings): Promise<void>
  /**
   * Makes it from what storage holds. Returns whether that was running.
   * @throws UserError where storage is damaged
   */
  load(): Promise<boolean>
  /** Trains for so many steps, or until `control` or the schedule ends it. */
  train(steps: number, control: Control): Promise<void>
  save(goesOn: boolean): Promise<void>
  /** What is saved stays, but does not go on by itself. */
  endStored(): Promise<void>
  /** Gives its device memory back. */
  drop(): void
  /** Deletes what is saved. */
  clear(): Promise<void>
}

interface Hooks {
  readonly tell: (event: WorkerEvent) => void
  /** Asks whatever else trains to stop: one training at a time. */
  readonly takeTurn: () => Promise<void>
}

const NOTHING: RunStatus = { state: 'empty', step: 0, totalSteps: 0, epochs: 0 }

export function statusOf(state: RunState, { step, totalSteps, epochs }: Progress): RunStatus {
  return { state, step, totalSteps, epochs }
}

/**
 * How a training of the page begins, pauses, rests, goes on and ends, whatever it is that trains. The page
 * calls it through comlink; commands wait for one another.
 */
export class LifeCycle<Settings, T extends Trainable<Settings> = Trainable<Settings>> implements Control {
  /** The page calls it where it is. */
  readonly [proxyMarker] = true
  /**
   * What makes, reads or replaces the training: between its awaits nothing else may. `pause` waits for the
   * loop alone.
   */
  readonly #inTurn = oneAfterOther()
  #loop: Promise<void> | null = null
  #stopping = false
  /** Until it is paused; it may rest in between, for a file of it or with a hidden page. */
  #goesOn = false
  #hidden = false

  constructor(
    readonly training: T,
    readonly hooks: Hooks,
  ) {}

  get stopping(): boolean {
    return this.#stopping
  }

  get goesOn(): boolean {
    return this.#goesOn
  }

  get status(): RunStatus {
    const { progress } = this.training
    if (!progress) return NOTHING
    return statusOf(this.#loop ? 'running' : progress.finished ? 'finished' : 'paused', progress)
  }

  /** Takes up what storage holds; damage is told. Returns whether it was running when the page was left. */
  restore(): Promise<boolean> {
    return this.#inTurn(async () => {
      try {
        // Not saved again: storage says that it was running until it is paused.
        return await this.training.load()
      } catch (error) {
        this.training.drop()
        this.hooks.tell(damagedRun(this.training.title, error))
        return false
      } finally {
        this.#tellStatus()
      }
    })
  }

  /** Begins with `settings`, or goes on with what there is. Returns at once; `pause` ends it. */
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
      if (this.status.state !== 'finished') await this.#run(steps)
    })
  }

  /** Stops after the step at hand and saves; what it saves does not go on by itself after a reload. */
  async pause(): Promise<void> {
    const wentOn = this.#goesOn
    this.#goesOn = false
    await this.#stop()
    // What was saved at a rest says that it goes on.
    if (wentOn) await this.training.endStored()
  }

  /** The page is hidden. A browser may end it then, so storage says that this goes on. */
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

  /** Does `work` while nothing trains, so that all it reads is of one step. */
  atRest<R>(work: () => Promise<R>): Promise<R> {
    return this.#inTurn(async () => {
      await this.#stop()
      try {
        return await work()
      } finally {
        // Unless it was paused in the meantime.
        this.#goOn()
      }
    })
  }

  /** Lets `make` put another training in the place of this one, and saves that. */
  replace(make: () => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      await this.pause()
      await make()
      await this.training.save(false)
      this.#tellStatus()
    })
  }

  /** Throws it away, its files too. */
  reset(): Promise<void> {
    return this.#inTurn(async () => {
      await this.pause()
      this.training.drop()
      await this.training.clear()
      this.#tellStatus()
    })
  }

  /** Does `work` in its turn, when there is a training and it does not train. */
  async #whenReady(settings: Settings, work: () => Promise<void>): Promise<void> {
    // Not in turn: this waits for what storage holds, which is taken up in turn.
    await this.hooks.takeTurn()
    await this.#inTurn(async () => {
      await this.pause()
      if (!this.training.progress) await this.training.make(settings)
      this.#tellStatus()
      // Something else may have begun while this waited, or while the training was made.
      await this.hooks.takeTurn()
      await work()
    })
  }

  #start(): void {
    if (this.status.state !== 'paused') return
    this.#goesOn = true
    this.#goOn()
  }

  #goOn(): void {
    if (this.#goesOn && !this.#hidden && !this.#loop) this.#run(Number.POSITIVE_INFINITY)
  }

  async #stop(): Promise<void> {
    this.#stopping = true
    await this.#loop
  }

  #run(steps: number): Promise<void> {
    this.#stopping = false
    this.#loop = this.#train(steps).finally(() => {
      this.#loop = null
      this.#tellStatus()
    })
    this.#tellStatus()
    return this.#loop
  }

  async #train(steps: number): Promise<void> {
    const { training } = this
    try {
      await training.train(steps, this)
      if (training.progress!.finished) this.#goesOn = false
      await training.save(this.#goesOn)
    } catch (error) {
      this.#goesOn = false
      // It would only fail again after a reload.
      await training.endStored()
      const text = `The ${training.title} stopped: ${reasonOf(error)}`
      this.hooks.tell({ type: 'failed', text })
    }
  }

  #tellStatus(): void {
    this.training.tellStatus(this.status)
  }
}

import type { Storage } from './memory.js'

/** Waits shorter than this are not worth a timer. */
const SHORTEST_SLEEP_MS = 20
/** Share of the expected time that is slept: waking late idles the device, waking early only polls. */
const SLEPT_SHARE = 0.85
/** A map that takes less after a sleep means that the device had finished before: the sleep was too long. */
const OVERSLEPT_MS = 3
/** How sharply the expectation falls after oversleeping, when the true time is not known. */
const OVERSLEPT_CORRECTION = 0.6

/** Both in milliseconds. */
export interface Clock {
  now(): number
  sleep(time: number): Promise<void>
}

const wallClock: Clock = {
  now: () => performance.now(),
  sleep: (time) => new Promise((resolve) => setTimeout(resolve, time)),
}

/**
 * Sleeps through most of the device's work before a buffer is mapped. A pending `mapAsync` makes Dawn in Node poll
 * constantly, which takes a core away from a software adapter; a timer does not. The expected time is based on the time
 * per dispatch of the previous wait. A permanent tensor (the losses of training) has its own estimate, so that an
 * evaluation between two epochs does not disturb it.
 */
export class ReadbackWait {
  readonly #clock: Clock
  readonly #millisecondsPerDispatch = new WeakMap<object, number>()
  /** When the work under way was handed over; null while the device has nothing to do. */
  #busySince: number | null = null
  #dispatchesDone = 0
  #pipelines = 0
  /** When the sleep ended; null where there was none. */
  #wokeAt: number | null = null

  constructor(clock: Clock = wallClock) {
    this.#clock = clock
  }

  /** Work is handed to the device. Time in which it had none says nothing of how long work takes. */
  submitted(): void {
    this.#busySince ??= this.#clock.now()
  }

  /**
   * Sleeps while `dispatches`, counted from the start, are mostly still under way. `read` is what will be
   * mapped.
   */
  async wait(dispatches: number, read: Storage): Promise<void> {
    const rate = this.#millisecondsPerDispatch.get(this.#kind(read)) ?? 0
    const expected = (dispatches - this.#dispatchesDone) * rate
    const now = this.#clock.now()
    const left = SLEPT_SHARE * expected - (now - (this.#busySince ?? now))
    this.#wokeAt = null
    if (left <= SHORTEST_SLEEP_MS) return
    await this.#clock.sleep(left)
    this.#wokeAt = this.#clock.now()
  }

  /**
   * All `dispatches` are finished: learns from how long they took, unless pipelines were compiled meanwhile.
   * `idle`: no others follow them yet.
   */
  done(dispatches: number, pipelines: number, read: Storage, idle: boolean): void {
    const now = this.#clock.now()
    const finished = dispatches - this.#dispatchesDone
    if (finished > 0 && this.#busySince !== null && pipelines === this.#pipelines) {
      const overslept = this.#wokeAt !== null && now - this.#wokeAt < OVERSLEPT_MS
      const kind = this.#kind(read)
      const known = this.#millisecondsPerDispatch.get(kind) ?? 0
      const measured = (now - this.#busySince) / finished
      this.#millisecondsPerDispatch.set(kind, overslept ? known * OVERSLEPT_CORRECTION : measured)
    }
    this.#busySince = idle ? null : now
    this.#dispatchesDone = dispatches
    this.#pipelines = pipelines
  }

  /** Reads of one permanent tensor follow the same kind of work; all others share one expectation. */
  #kind(read: Storage): object {
    return read.permanent ? read : this
  }
}

/** Waits shorter than this are not worth a timer. */
const SHORTEST_SLEEP_MS = 20
/** Share of the expected time that is slept: waking late idles the device, waking early only polls. */
const SLEPT_SHARE = 0.85

/**
 * Sleeps through most of the device's work before a buffer is mapped. A pending `mapAsync` makes Dawn in Node poll
 * without pause, which takes a core away from a software adapter; a timer takes nothing. The expected time is the
 * time per dispatch of earlier waits.
 */
export class Patience {
  #millisecondsPerDispatch = 0
  #busySince = performance.now()
  #dispatchesDone = 0

  /** Sleeps while `dispatches`, counted from the start, are mostly still under way. */
  async wait(dispatches: number): Promise<void> {
    const expected = (dispatches - this.#dispatchesDone) * this.#millisecondsPerDispatch
    const left = SLEPT_SHARE * expected - (performance.now() - this.#busySince)
    if (left > SHORTEST_SLEEP_MS) await new Promise((resolve) => setTimeout(resolve, left))
  }

  /** All `dispatches` are finished: learns from how long they took. */
  done(dispatches: number): void {
    const now = performance.now()
    const finished = dispatches - this.#dispatchesDone
    if (finished > 0) {
      const measured = (now - this.#busySince) / finished
      // The smaller of old and new: a slow stretch (compilation, evaluation on the host) must not cause oversleeping.
      const known = this.#millisecondsPerDispatch
      this.#millisecondsPerDispatch = known === 0 ? measured : Math.min(measured, 1.2 * known)
    }
    this.#busySince = now
    this.#dispatchesDone = dispatches
  }
}

/** Sent by a terminal, a scheduler and a closed connection to end a run. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** A shell and the system may both send SIGHUP, and a wrapper forwards SIGTERM: signals within this time count once. */
const ECHO_MS = 1000

/**
 * Asks a run to stop after its step: at Ctrl-C, SIGTERM or SIGHUP, and early enough to end within `maxMinutes` of the
 * start of the process. A second signal ends the process at once.
 */
export class StopSignal {
  #signalled = false
  readonly #deadline: Deadline | null

  constructor(maxMinutes?: number) {
    this.#deadline = maxMinutes === undefined ? null : new Deadline(maxMinutes)
    for (const name of SIGNALS) process.once(name, this.#stop)
  }

  /** Call it after each step: the time between calls tells how early to stop. */
  readonly requested = (): boolean => this.#signalled || (this.#deadline?.isNear() ?? false)

  readonly #stop = (name: NodeJS.Signals): void => {
    this.#signalled = true
    process.stderr.write('\nStopping after this step. Press Ctrl-C again to exit at once.\n')
    for (const other of SIGNALS) process.off(other, this.#stop)
    if (name === 'SIGINT') return
    const echo = () => {}
    for (const other of ['SIGTERM', 'SIGHUP']) process.on(other, echo)
    setTimeout(() => {
      for (const other of ['SIGTERM', 'SIGHUP']) process.off(other, echo)
    }, ECHO_MS).unref()
  }
}

/** Tells when the next step, if as long as the longest so far, could end too late. */
class Deadline {
  readonly #end: number
  #longest = 0
  #asked: number | null = null

  constructor(minutes: number) {
    this.#end = 60_000 * minutes
  }

  /** `performance.now()` counts from the start of the process. */
  isNear(): boolean {
    const now = performance.now()
    if (this.#asked !== null) this.#longest = Math.max(this.#longest, now - this.#asked)
    this.#asked = now
    return now + this.#longest >= this.#end
  }
}

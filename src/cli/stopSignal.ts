/** What a terminal, a scheduler and a closed connection send to end a run. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** A shell and the system both send the hang-up, a wrapper hands the termination on: within this they are one. */
const ECHO_MS = 1000

/**
 * Asks a run to stop after its step: at Ctrl-C, SIGTERM or SIGHUP, and in time for `maxMinutes` from the start of the
 * process to hold. A second signal ends the process at once.
 */
export class StopSignal {
  #signalled = false
  readonly #deadline: Deadline | null

  constructor(maxMinutes?: number) {
    this.#deadline = maxMinutes === undefined ? null : new Deadline(maxMinutes)
    for (const name of SIGNALS) process.once(name, this.#stop)
  }

  /** Wants to be asked after each step. */
  readonly requested = (): boolean => this.#signalled || (this.#deadline?.isNear() ?? false)

  readonly #stop = (name: NodeJS.Signals): void => {
    this.#signalled = true
    process.stderr.write('\nStopping after this step (Ctrl-C again to end at once) …\n')
    for (const other of SIGNALS) process.off(other, this.#stop)
    if (name === 'SIGINT') return
    const echo = () => {}
    for (const other of ['SIGTERM', 'SIGHUP']) process.on(other, echo)
    setTimeout(() => {
      for (const other of ['SIGTERM', 'SIGHUP']) process.off(other, echo)
    }, ECHO_MS).unref()
  }
}

/** The time after which the next stretch between two questions could end too late. */
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

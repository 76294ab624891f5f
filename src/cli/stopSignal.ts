/** Ctrl-C asks a run to stop after its step; a second one ends the process at once. */
export class StopSignal {
  #requested = false

  constructor() {
    process.once('SIGINT', () => {
      this.#requested = true
      process.stderr.write('\nStopping after this step (Ctrl-C again to end at once) …\n')
    })
  }

  readonly requested = (): boolean => this.#requested
}

import { describeError } from '../../src/errors.js'
import type { RunName, WorkerEvent } from '../protocol.js'

const titles: Readonly<Record<RunName, string>> = {
  pretrain: 'pretraining of act 1',
  fineTunePlain: 'fine-tuning of act 2 with λ = 0',
  fineTuneIat: 'fine-tuning of act 2 with λ > 0',
  ownPretrain: 'pretraining of act 4',
  ownFineTune: 'fine-tuning of act 4',
}

/** What a visitor can do then. */
export const AGAIN = 'To load the page again may help; to begin anew replaces it.'

/** What storage holds of a run is of no use: the page says so, and a new run can be begun. */
export function damagedRun(run: RunName, error: unknown): WorkerEvent {
  const text = `The saved ${titles[run]} cannot be taken up: ${describeError(error)} ${AGAIN}`
  return { type: 'failed', run, text }
}

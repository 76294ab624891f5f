import type { RunName, WorkerEvent } from '../protocol.js'

/** What sentences call a run. */
export const runTitles: Readonly<Record<RunName, string>> = {
  pretrain: 'pretraining run',
  fineTunePlain: 'fine-tuning run with λ = 0',
  fineTuneIat: 'fine-tuning run with λ > 0',
  ownPretrain: 'pretraining run on your own data',
  ownFineTune: 'fine-tuning run on your own data',
}

/** What storage holds of a run is of no use: the page says so, and a new run can be begun. */
export function damagedRun(title: string, error: unknown): WorkerEvent {
  const text =
    `The saved ${title} cannot be restored: ${reasonOf(error)} ` +
    'Reload the page to try again, or start a new run to replace it.'
  return { type: 'failed', text }
}

/** The message of an error as a sentence. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.?$/, '.')
}

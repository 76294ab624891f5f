import { UserError } from '../../src/errors.js'

/** So long the lock is waited for: a page that is loaded again may meet its own worker from before, which is about to end. */
const LEAVING_MS = 4_000

/**
 * Two tabs would write the same files of the browser's storage: the first one alone trains, until its worker ends.
 * @throws UserError in the others
 */
export function becomeOnlyTab(): Promise<void> {
  return new Promise((resolve, reject) => {
    const held = () => {
      resolve()
      return new Promise<never>(() => {})
    }
    const signal = AbortSignal.timeout(LEAVING_MS)
    navigator.locks.request('fmae-page', { signal }, held).catch((error: DOMException) => {
      // A browser that refuses locks gives the page no storage either: nothing is written twice.
      if (error.name === 'SecurityError') return resolve()
      const text =
        'This page is open in another tab, which keeps the runs: train there, or close that tab and load this one again.'
      reject(new UserError(text))
    })
  })
}

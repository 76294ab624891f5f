/** Another tab trains, so that this one must not. */
class OtherTabError extends Error {
  override readonly name = 'OtherTabError'

  constructor() {
    super('All tabs of this page share their saved runs, so only one tab can train.')
  }
}

/**
 * So long the lock is waited for: a page that is reloaded may meet its own earlier worker, which is about to
 * end.
 */
const LEAVING_MS = 4_000

/**
 * Two tabs would write the same files of the browser's storage: the first one alone trains, until its worker
 * ends.
 * @throws OtherTabError in the others
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
      reject(new OtherTabError())
    })
  })
}

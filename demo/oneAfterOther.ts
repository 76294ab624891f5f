/**
 * A function that does the work it is given, each piece when those before it are done, whether they failed or
 * not.
 */
export function oneAfterOther(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const done = last.then(work)
    // What failed is told to whom asked for it.
    last = done.catch(() => {})
    return done
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'

// No test decides by the clock: it may take as long as something moves. Loaded into every test file by .taprc.

/** tap ends a file in which nothing has moved for so long: `timeout` of .taprc. */
const SILENCE_MS = 1000 * Number(process.env.TAP_TIMEOUT ?? 300)
/** Waits end before tap does, so that they can say what they waited for. */
const STILL_MS = 0.8 * SILENCE_MS
/** How often tap is told. */
const TELL_EVERY_MS = Math.min(1000, SILENCE_MS / 10)

let last = performance.now()

/** Something moved: a test point, a step, a line of a program, a page. */
export function moved(): void {
  const now = performance.now()
  if (now - last < TELL_EVERY_MS) return
  last = now
  t.setTimeout(SILENCE_MS)
}

t.parser.on('line', moved)
// tap would hold the time of the whole file against this number.
t.on('end', () => {
  last = Number.POSITIVE_INFINITY
  t.setTimeout(0)
})

/** Why to give up, where nothing has moved for minutes; null while something does. */
export function standstill(): string | null {
  if (performance.now() - last < STILL_MS) return null
  return `nothing has moved for ${Math.round(STILL_MS / 1000)} s`
}

/**
 * Looks until `enough` of what it sees, for as long as something moves. `goal` names the wait in the error.
 * @throws Error with what was last seen
 */
export async function until<T>(
  goal: string,
  look: () => T | Promise<T>,
  enough: (seen: T) => boolean,
): Promise<T> {
  let seen = await look()
  while (!enough(seen)) {
    const reason = standstill()
    if (reason) throw new Error(`${goal}: ${reason}; last seen: ${JSON.stringify(seen)}`)
    await sleep(20)
    const before = seen
    seen = await look()
    if (!isDeepStrictEqual(seen, before)) moved()
  }
  return seen
}

import { relativeError } from './array64.js'

/** A comparison of our numbers with a reference. */
export interface Check {
  readonly group: string
  readonly what: string
  /** Relative error, see `relativeError`. */
  readonly error: number
  /** Its own tolerance, or null for the general one. */
  readonly tolerance: number | null
}

type Compare = (what: string, ours: ArrayLike<number>, theirs: ArrayLike<number>) => Check

/** Makes the checks of one group. */
export function comparisons(group: string, tolerance: number | null = null): Compare {
  return (what, ours, theirs) => ({ group, what, error: relativeError(ours, theirs), tolerance })
}

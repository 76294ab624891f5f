import { relativeError } from './array64.js'

/** One comparison of our numbers with numbers from elsewhere. */
export interface Check {
  readonly group: string
  readonly what: string
  /** Relative error, see `relativeError`. */
  readonly error: number
  /** Largest error allowed where it is not the general one. */
  readonly tolerance: number | null
}

type Compare = (what: string, ours: ArrayLike<number>, theirs: ArrayLike<number>) => Check

/** Makes the checks of one group. */
export function comparisons(group: string, tolerance: number | null = null): Compare {
  return (what, ours, theirs) => ({ group, what, error: relativeError(ours, theirs), tolerance })
}

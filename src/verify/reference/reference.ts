import type { Array64 } from '../array64.js'

/** An op in float64 on the host, forward and analytic gradients, written for clarity and not for speed. */
export interface Reference {
  forward(inputs: readonly Array64[]): Array64
  /** Gradients of Σ y·dy for every input, null where the op gives none; absent for ops without gradients. */
  gradients?(inputs: readonly Array64[], dy: Array64): readonly (Array64 | null)[]
}

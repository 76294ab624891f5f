/**
 * Which variant of a kernel family runs. A family lists, for one piece of work, the variants that this adapter can run; the first
 * is what the fixed table says.
 */
import type { Capabilities } from './capabilities.js'
import type { Runtime } from './runtime.js'

/** A family of kernels with several variants of the same work, e.g. the matrix product. */
export interface Tunable<Spec> {
  readonly family: string
  /** Work of one class runs the same variant: sizes rounded to what makes a difference. */
  shapeClass(spec: Spec): string
  /** Variants that can run `spec` on this adapter; the first is the choice where nothing was measured. */
  candidates(caps: Capabilities, spec: Spec): readonly string[]
  /** Prepares operands for `spec` and returns a function that queues the work once; used to measure. */
  trial(runtime: Runtime, spec: Spec, variant: string): () => void
}

/** The variant chosen for every family and shape class. */
export class VariantTable {
  constructor(readonly caps: Capabilities) {}

  choose<Spec>(tunable: Tunable<Spec>, spec: Spec): string {
    return tunable.candidates(this.caps, spec)[0]!
  }
}

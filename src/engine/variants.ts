/**
 * Which variant of a kernel family runs. For each piece of work, a family lists the variants that this adapter can run;
 * the first is the choice of the fixed table. Work is grouped into classes (`shapeClass`). Choices are made before the
 * first step and kept, because the same choices give the same bits. tuner.ts measures what to choose; see docs/tuner.md.
 *
 * `T` is the type of the operands, the engine's tensors; nothing here depends on it.
 */
import type { KernelCaps } from '../../kernels/kernel.js'

/** An input of the work, filled with numbers between −1 and 1 to measure with. */
export interface Operand {
  readonly shape: readonly number[]
  readonly dtype: 'f32' | 'f16'
}

/** A family of kernels with several variants of the same work, e.g. the matrix product. */
export interface Tunable<Spec, T> {
  readonly family: string
  /** All work of a class runs the same variant; sizes are rounded to what affects speed. */
  shapeClass(spec: Spec): string
  /** Variants that can run `spec` on this adapter; the first is the choice if nothing was measured. */
  candidates(caps: KernelCaps, spec: Spec): readonly string[]
  /** Operations in `spec`: classes with the most work are measured first. */
  flops(spec: Spec): number
  operands(spec: Spec): readonly Operand[]
  /**
   * Queues the work once and returns its results, which it makes itself; it does not change the operands. Not
   * a tape op.
   */
  run(spec: Spec, variant: string, operands: readonly T[]): readonly T[]
}

/** Variants by name of the kernel class. */
export type Choices = Readonly<Record<string, string>>

/** Work of a step that shares one choice. */
export interface KernelClass<T> {
  readonly name: string
  readonly tunable: Tunable<unknown, T>
  /** The largest piece of work in the class; it represents all. */
  readonly spec: unknown
  /** Operations of the whole class in the step. */
  readonly flops: number
}

/** The variant chosen for every family and shape class. */
export class VariantTable<T> {
  #choices: Choices = {}
  #asked: Map<string, KernelClass<T>> | null = null

  constructor(readonly caps: KernelCaps) {}

  /** The choices made with `use`; other classes follow the fixed table. */
  get inUse(): Choices {
    return this.#choices
  }

  use(choices: Choices): void {
    this.#choices = choices
  }

  /** The variant that runs `spec`. If the choice cannot run it, e.g. for its alignment, the fixed table decides. */
  choose<Spec>(tunable: Tunable<Spec, T>, spec: Spec): string {
    const name = `${tunable.family} ${tunable.shapeClass(spec)}`
    const candidates = tunable.candidates(this.caps, spec)
    const chosen = this.#choices[name]
    if (this.#asked) note(this.#asked, { name, tunable, spec, flops: tunable.flops(spec) } as KernelClass<T>)
    return chosen !== undefined && candidates.includes(chosen) ? chosen : candidates[0]
  }

  /** The classes that `rehearse` uses, those with most work first. */
  askedBy(rehearse: () => void): KernelClass<T>[] {
    const asked = new Map<string, KernelClass<T>>()
    this.#asked = asked
    try {
      rehearse()
    } finally {
      this.#asked = null
    }
    return [...asked.values()].sort((a, b) => b.flops - a.flops)
  }
}

function note<T>(asked: Map<string, KernelClass<T>>, work: KernelClass<T>): void {
  const known = asked.get(work.name)
  if (!known) {
    asked.set(work.name, work)
    return
  }
  const { tunable, spec } = known
  const larger = work.flops > tunable.flops(spec) ? work : known
  asked.set(work.name, { ...larger, flops: known.flops + work.flops })
}

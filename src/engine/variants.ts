/**
 * Which variant of a kernel family runs. A family lists, for one piece of work, the variants that this
 * adapter can run; the first is what the fixed table says. Work is sorted into classes (`shapeClass`).
 * Choices are made before the first step and kept: the same choices, the same bits. tuner.ts measures what to
 * choose; see docs/tuner.md.
 *
 * `T` is the type of the operands: the engine's tensors, of which nothing is needed here.
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
  /** Work of one class runs the same variant: sizes rounded to what makes a difference. */
  shapeClass(spec: Spec): string
  /** Variants that can run `spec` on this adapter; the first is the choice where nothing was measured. */
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

/** Work that a step asks for, under one choice. */
export interface KernelClass<T> {
  readonly name: string
  readonly tunable: Tunable<unknown, T>
  /** The largest piece of work in the class: it stands for all. */
  readonly spec: unknown
  /** Operations of the whole class in the step. */
  readonly flops: number
}

/** The variant chosen for every family and shape class. */
export class VariantTable<T> {
  #choices: Choices = {}
  #asked: Map<string, KernelClass<T>> | null = null

  constructor(readonly caps: KernelCaps) {}

  /** The choices made with `use`; for classes that are not among them the fixed table holds. */
  get inUse(): Choices {
    return this.#choices
  }

  use(choices: Choices): void {
    this.#choices = choices
  }

  /**
   * The variant that runs `spec`. A choice that cannot run it, for its alignment say, gives way to the fixed
   * table.
   */
  choose<Spec>(tunable: Tunable<Spec, T>, spec: Spec): string {
    const name = `${tunable.family} ${tunable.shapeClass(spec)}`
    const candidates = tunable.candidates(this.caps, spec)
    const chosen = this.#choices[name]
    if (this.#asked) note(this.#asked, { name, tunable, spec, flops: tunable.flops(spec) } as KernelClass<T>)
    return chosen !== undefined && candidates.includes(chosen) ? chosen : candidates[0]
  }

  /** The classes that `rehearse` asks for, those with most work first. */
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

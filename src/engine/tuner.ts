/**
 * Which variant of a kernel family runs, and the tuner that measures which should. See docs/tuner.md.
 *
 * A family lists, for one piece of work, the variants that this adapter can run; the first is what the fixed table says. Work is
 * sorted into classes (`shapeClass`). A training step that is rehearsed shows which classes it asks for; `tune` then takes the
 * class's choice from an earlier run, or measures the candidates. Choices are made before the first step and kept: the same choices,
 * the same bits.
 */
import type { Capabilities } from './capabilities.js'
import type { Runtime } from './runtime.js'
import { DeviceTimer, type StepTimer } from './stepTimer.js'
import type { Tensor } from './tensor.js'
import { VariantRace } from './variantRace.js'

/** An input of the work, filled with numbers between −1 and 1 to measure with. */
export interface Operand {
  readonly shape: readonly number[]
  readonly dtype: 'f32' | 'f16'
}

/** A family of kernels with several variants of the same work, e.g. the matrix product. */
export interface Tunable<Spec> {
  readonly family: string
  /** Work of one class runs the same variant: sizes rounded to what makes a difference. */
  shapeClass(spec: Spec): string
  /** Variants that can run `spec` on this adapter; the first is the choice where nothing was measured. */
  candidates(caps: Capabilities, spec: Spec): readonly string[]
  /** Operations in `spec`: classes with the most work are measured first. */
  flops(spec: Spec): number
  operands(spec: Spec): readonly Operand[]
  /** Queues the work once and returns its results, which it makes itself; it does not change the operands. Not a tape op. */
  run(spec: Spec, variant: string, operands: readonly Tensor[]): readonly Tensor[]
}

/** Variants by name of the kernel class. */
export type Choices = Readonly<Record<string, string>>

/** Work that a step asks for, under one choice. */
export interface KernelClass {
  readonly name: string
  readonly tunable: Tunable<unknown>
  /** The largest piece of work in the class: it stands for all. */
  readonly spec: unknown
  /** Operations of the whole class in the step. */
  readonly flops: number
}

/** The variant chosen for every family and shape class. */
export class VariantTable {
  #choices: Choices = {}
  #asked: Map<string, KernelClass> | null = null

  constructor(readonly caps: Capabilities) {}

  /** The choices made with `use`; for classes that are not among them the fixed table holds. */
  get inUse(): Choices {
    return this.#choices
  }

  use(choices: Choices): void {
    this.#choices = choices
  }

  /** The variant that runs `spec`. A choice that cannot run it, for its alignment say, gives way to the fixed table. */
  choose<Spec>(tunable: Tunable<Spec>, spec: Spec): string {
    const name = `${tunable.family} ${tunable.shapeClass(spec)}`
    const candidates = tunable.candidates(this.caps, spec)
    const chosen = this.#choices[name]
    if (this.#asked) note(this.#asked, { name, tunable, spec, flops: tunable.flops(spec) } as KernelClass)
    return chosen !== undefined && candidates.includes(chosen) ? chosen : candidates[0]
  }

  /** The classes that `rehearse` asks for, those with most work first. */
  askedBy(rehearse: () => void): KernelClass[] {
    const asked = new Map<string, KernelClass>()
    this.#asked = asked
    try {
      rehearse()
    } finally {
      this.#asked = null
    }
    return [...asked.values()].sort((a, b) => b.flops - a.flops)
  }
}

function note(asked: Map<string, KernelClass>, work: KernelClass): void {
  const known = asked.get(work.name)
  if (!known) {
    asked.set(work.name, work)
    return
  }
  const { tunable, spec } = known
  const larger = work.flops > tunable.flops(spec) ? work : known
  asked.set(work.name, { ...larger, flops: known.flops + work.flops })
}

/** A choice that later runs take over, as long as the texts of all candidates are those it was made with. */
export interface StoredChoice {
  readonly variant: string
  /** Hash of the candidates' kernels. */
  readonly kernels: string
}

export type StoredChoices = Readonly<Record<string, StoredChoice>>

/** Where choices outlive the process; see variantStore.node.ts and variantStore.browser.ts. Its methods throw VariantStoreError. */
export interface VariantStore {
  /** For people. */
  readonly place: string
  load(adapter: string): Promise<StoredChoices>
  /** Adds to what is stored for the adapter. */
  save(adapter: string, choices: StoredChoices): Promise<void>
}

/** Under which name choices are stored: all that an adapter tells of itself and its driver. */
export function adapterKey({ vendor, architecture, device, description }: Capabilities): string {
  return [vendor, architecture, device, description].join(' | ')
}

export interface Tuning {
  /** For every class. */
  readonly choices: Choices
  /** New choices, to be stored. */
  readonly fresh: StoredChoices
  /** Classes with more than one candidate. */
  readonly tunable: number
  /** Those of them that were measured now. */
  readonly measured: number
  /** Candidates that were not used because they compute something else, or nothing. */
  readonly warnings: readonly string[]
}

/**
 * Settles all `classes`: from `stored` where the kernels are still the same, else by measuring, for at most about `budgetMs`. A class that the
 * budget does not reach keeps the fixed table's choice, and is stored so: the next run is to compute the same bits.
 */
export async function autotune(
  runtime: Runtime,
  classes: readonly KernelClass[],
  stored: StoredChoices,
  budgetMs: number,
  timer: StepTimer = new DeviceTimer(runtime),
): Promise<Tuning> {
  const race = new VariantRace(runtime, timer, budgetMs)
  try {
    return await settle(runtime, classes, stored, race)
  } finally {
    race.close()
  }
}

async function settle(
  runtime: Runtime,
  classes: readonly KernelClass[],
  stored: StoredChoices,
  race: VariantRace,
): Promise<Tuning> {
  const choices: Record<string, string> = {}
  const fresh: Record<string, StoredChoice> = {}
  let tunable = 0
  for (const kernelClass of classes) {
    const { name, spec } = kernelClass
    const candidates = kernelClass.tunable.candidates(runtime.caps, spec)
    choices[name] = candidates[0]
    if (candidates.length === 1) continue
    tunable++
    const kernels = hashOfKernels(runtime, kernelClass, candidates)
    const known = stored[name]
    if (known?.kernels === kernels && candidates.includes(known.variant)) {
      choices[name] = known.variant
      continue
    }
    choices[name] = (await race.fastest(kernelClass, candidates)) ?? candidates[0]
    fresh[name] = { variant: choices[name], kernels }
  }
  return { choices, fresh, tunable, measured: race.measured, warnings: race.warnings }
}

/** FNV-1a over the texts of all kernels that the candidates would run: a changed kernel or a new variant is measured anew. */
function hashOfKernels(runtime: Runtime, { tunable, spec }: KernelClass, candidates: readonly string[]) {
  let hash = 0x811c9dc5
  for (const variant of candidates) {
    const { kernels } = runtime.capture(() => {
      const operands = tunable.operands(spec).map(({ shape, dtype }) => runtime.empty(shape, dtype))
      return tunable.run(spec, variant, operands)
    })
    const text = [variant, ...kernels.flatMap((kernel) => [kernel.key, kernel.code()])].join('\n')
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return (hash >>> 0).toString(16)
}

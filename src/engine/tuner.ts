/**
 * Chooses kernel variants by measuring them. Rehearsing a training step shows which kernel classes it uses
 * (variants.ts). For each class, `autotune` takes the choice of an earlier run, or measures the candidates. See
 * docs/tuner.md.
 */
import type { Capabilities } from './capabilities.js'
import { captureStep } from './capturedStep.js'
import type { Runtime } from './runtime.js'
import { DeviceTimer, type StepTimer } from './stepTimer.js'
import type { Tensor } from './tensor.js'
import { VariantRace } from './variantRace.js'
import type { Choices, KernelClass } from './variants.js'

/** A choice that later runs reuse, as long as the kernel sources of all candidates are unchanged. */
export interface StoredChoice {
  readonly variant: string
  /** Hash of the candidates' kernels. */
  readonly kernels: string
}

export type StoredChoices = Readonly<Record<string, StoredChoice>>

/**
 * Where choices outlive the process; see variantStore.node.ts and variantStore.browser.ts. Its methods throw
 * VariantStoreError.
 */
export interface VariantStore {
  /** Its location, for messages. */
  readonly place: string
  load(adapter: string): Promise<StoredChoices>
  /** Adds to what is stored for the adapter. */
  save(adapter: string, choices: StoredChoices): Promise<void>
}

/** The name under which choices are stored: everything that an adapter reports about itself and its driver. */
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
  /** Candidates that were not used because their results are wrong or missing. */
  readonly warnings: readonly string[]
}

/**
 * Chooses a variant for all `classes`: from `stored` if the kernels are unchanged, else by measuring, for about
 * `budgetMs` at most. A class that the budget does not reach keeps the choice of the fixed table. That choice is stored
 * too, so that the next run computes the same bits.
 */
export async function autotune(
  runtime: Runtime,
  classes: readonly KernelClass<Tensor>[],
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
  classes: readonly KernelClass<Tensor>[],
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

/** FNV-1a over the sources of all kernels of the candidates: a changed kernel or a new variant is measured again. */
function hashOfKernels(
  runtime: Runtime,
  { tunable, spec }: KernelClass<Tensor>,
  candidates: readonly string[],
) {
  let hash = 0x811c9dc5
  for (const variant of candidates) {
    const { kernels } = captureStep(runtime, () => {
      const operands = tunable.operands(spec).map(({ shape, dtype }) => runtime.empty(shape, dtype))
      return tunable.run(spec, variant, operands)
    })
    const text = [variant, ...kernels.flatMap((kernel) => [kernel.key, kernel.code()])].join('\n')
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return (hash >>> 0).toString(16)
}

import { openVariantStore } from '#variantStore'
import { VariantStoreError } from '../../engine/errors.js'
import type { Runtime } from '../../engine/runtime.js'
import type { Tensor } from '../../engine/tensor.js'
import {
  adapterKey,
  autotune,
  type StoredChoices,
  type Tuning,
  type VariantStore,
} from '../../engine/tuner.js'
import type { Choices, KernelClass } from '../../engine/variants.js'
import type { TrainingRun } from '../trainingRun.js'
import { MicroBatches } from './microBatches.js'

/** Time for autotuning before the first step. On a CPU driver, compiling alone takes up to a second per kernel. */
const BUDGET_MS = 3000
const SOFTWARE_BUDGET_MS = 700

export interface VariantSettings {
  /** False for the fixed table (`--no-tune`). */
  readonly tune: boolean
  /** Choices of the checkpoint that the run resumes from. They override the cache, so that results stay bit-identical. */
  readonly pinned: Choices | null
  /** Prints one line for the user. */
  readonly say: (line: string) => void
  readonly store?: VariantStore
}

/** Chooses the kernel variants of a run, once, before its first step. */
export async function settleVariants(run: TrainingRun, settings: VariantSettings): Promise<void> {
  const { runtime } = run
  const { variants } = runtime
  // The classes that are requested must not depend on the previous run.
  variants.use({})
  const classes = variants.askedBy(() => new MicroBatches(run, true))
  const fixed = Object.fromEntries(classes.map((work) => [work.name, candidatesOf(runtime, work)[0]]))
  const open = classes.some((work) => candidatesOf(runtime, work).length > 1)
  if (settings.pinned)
    variants.use({ ...fixed, ...eligible(runtime, classes, settings.pinned, settings.say) })
  else if (settings.tune && open) variants.use(await tuned(runtime, classes, settings))
  else variants.use(fixed)
}

function candidatesOf({ caps }: Runtime, { tunable, spec }: KernelClass<Tensor>): readonly string[] {
  return tunable.candidates(caps, spec)
}

/** The pinned choices that can run here. */
function eligible(
  runtime: Runtime,
  classes: readonly KernelClass<Tensor>[],
  pinned: Choices,
  say: (line: string) => void,
): Choices {
  const asked = classes.filter(({ name }) => name in pinned)
  const [usable, lacking] = [true, false].map((wanted) =>
    asked.filter((work) => candidatesOf(runtime, work).includes(pinned[work.name]) === wanted),
  )
  if (lacking.length > 0) {
    const names = lacking.map(({ name }) => `${pinned[name]} (${name})`).join(', ')
    say(
      `This adapter lacks kernel variants of the checkpoint: ${names}. The fixed table replaces them; results may differ by rounding.`,
    )
  }
  return Object.fromEntries(usable.map(({ name }) => [name, pinned[name]]))
}

/** Choices from the store or by measuring. A store that fails is reported once and then ignored. */
async function tuned(
  runtime: Runtime,
  classes: readonly KernelClass<Tensor>[],
  { say, store = openVariantStore() }: VariantSettings,
): Promise<Choices> {
  const started = performance.now()
  let complained = false
  const orNull = async <T>(access: Promise<T>): Promise<T | null> => {
    try {
      return await access
    } catch (error) {
      if (!(error instanceof VariantStoreError)) throw error
      if (!complained) say(`Autotuning cache: ${error.message}. Training continues without it.`)
      complained = true
      return null
    }
  }
  const { caps } = runtime
  const stored = (await orNull(store.load(adapterKey(caps)))) ?? {}
  const tuning = await autotune(runtime, classes, stored, caps.software ? SOFTWARE_BUDGET_MS : BUDGET_MS)
  for (const warning of tuning.warnings) say(`Warning: ${warning}`)
  const saved = isEmpty(tuning.fresh) || (await orNull(store.save(adapterKey(caps), tuning.fresh))) !== null
  say(summary(tuning, (performance.now() - started) / 1000, saved ? store.place : null))
  return tuning.choices
}

function isEmpty(choices: StoredChoices): boolean {
  return Object.keys(choices).length === 0
}

function summary({ tunable, measured, fresh }: Tuning, seconds: number, place: string | null): string {
  if (isEmpty(fresh)) return `Autotuned kernels: from the cache (${place}).`
  const known = tunable - Object.keys(fresh).length
  const cached = known > 0 ? `, ${known} more from the cache` : ''
  const where = place ? `stored in ${place}` : 'not stored'
  return `Autotuned ${measured} of ${tunable - known} kernel classes in ${seconds.toFixed(1)} s (${where})${cached}.`
}

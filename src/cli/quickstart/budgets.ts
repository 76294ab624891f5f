import type { FmaeConfig } from '../../model/config.js'
import { presets } from '../../model/presets.js'
import type { FineTuneSettings, PretrainSettings } from '../../train/settings.js'

/** One size of the main job. */
export interface Budget {
  readonly model: FmaeConfig
  /** Changes to the default settings. */
  readonly pretrain: Partial<PretrainSettings> & Pick<PretrainSettings, 'epochs'>
  readonly finetune: Partial<FineTuneSettings> & Pick<FineTuneSettings, 'epochs'>
  /** λ of the adversarial run: chosen on fold 2, never on the test subjects (docs/main-job.md). */
  readonly lambda: number
}

/**
 * `tiny` only checks that everything runs. `short` takes minutes on two CPU cores with lavapipe, `long` two to three
 * times as long. `brief` is the default on SwiftShader, which is several times slower.
 */
export const budgets = {
  tiny: {
    model: { ...presets.nano, width: 16, depth: 1, heads: 2, decoderWidth: 16, decoderHeads: 2 },
    pretrain: { batchSize: 256, epochs: 1 },
    finetune: { batchSize: 128, epochs: 1 },
    lambda: 1,
  },
  brief: {
    model: presets.nano,
    pretrain: { epochs: 7 },
    finetune: { epochs: 7 },
    lambda: 1,
  },
  short: {
    model: presets.nano,
    pretrain: { epochs: 9 },
    finetune: { epochs: 12 },
    lambda: 1,
  },
  long: {
    model: presets.nano,
    pretrain: { epochs: 24 },
    finetune: { epochs: 24 },
    lambda: 1,
  },
} as const satisfies Record<string, Budget>

export type BudgetName = keyof typeof budgets

/** The budget of a plain `npm start`: short enough on this adapter to wait for. */
export function defaultBudget({ architecture }: { readonly architecture: string }): BudgetName {
  return architecture === 'swiftshader' ? 'brief' : 'short'
}

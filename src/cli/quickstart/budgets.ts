import type { FmaeConfig } from '../../model/config.js'
import { presets } from '../../model/presets.js'
import { fineTuneRecipes, pretrainRecipes } from '../../train/recipes.js'

interface StageSettings {
  readonly batchSize: number
  readonly epochs: number
  readonly warmupEpochs: number
  readonly baseLearningRate: number
}

/** One size of the main job. */
export interface Budget {
  readonly model: FmaeConfig
  readonly pretrain: StageSettings
  readonly finetune: StageSettings
  /** λ of the adversarial run: chosen on fold 2, never on the test people (docs/main-job.md). */
  readonly lambda: number
}

const { pretrain, finetune } = { pretrain: pretrainRecipes.nano, finetune: fineTuneRecipes.nano }

/**
 * `tiny` only proves that everything runs. `short` takes minutes on two CPU cores with lavapipe, `long` two to three times as long.
 * `brief` is what SwiftShader, several times slower, gets by default.
 */
export const budgets = {
  tiny: {
    model: { ...presets.nano, width: 16, depth: 1, heads: 2, decoderWidth: 16, decoderHeads: 2 },
    pretrain: { ...pretrain, batchSize: 256, epochs: 1 },
    finetune: { ...finetune, batchSize: 128, epochs: 1 },
    lambda: 1,
  },
  brief: {
    model: presets.nano,
    pretrain: { ...pretrain, epochs: 7 },
    finetune: { ...finetune, epochs: 7 },
    lambda: 1,
  },
  short: {
    model: presets.nano,
    pretrain: { ...pretrain, epochs: 9 },
    finetune: { ...finetune, epochs: 12 },
    lambda: 1,
  },
  long: {
    model: presets.nano,
    pretrain: { ...pretrain, epochs: 24 },
    finetune: { ...finetune, epochs: 24 },
    lambda: 1,
  },
} as const satisfies Record<string, Budget>

export type BudgetName = keyof typeof budgets

/** The budget of a plain `npm start`: what the adapter manages while somebody waits. */
export function defaultBudget({ architecture }: { readonly architecture: string }): BudgetName {
  return architecture === 'swiftshader' ? 'brief' : 'short'
}

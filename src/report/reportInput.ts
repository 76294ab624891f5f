import type { ReconstructionSample } from '../train/reconstructions.js'
import type { FineTuneName, Report } from './reportSchema.js'

/** Points of a curve, in order: step (or epoch), value. */
export type Curve = readonly (readonly [step: number, value: number])[]

export interface FineTuneCurves {
  /** Action-unit loss, mean BCE over the units. */
  readonly au: Curve
  /** Identity loss; empty where there is no identity head (λ = 0). */
  readonly id: Curve
}

/** Points of one two-dimensional embedding; `subjects[i]` is the subject of `points[i]`. */
export interface EmbeddingPlot {
  readonly points: readonly (readonly [x: number, y: number])[]
  readonly subjects: readonly string[]
}

export interface Timing {
  readonly name: string
  readonly seconds: number
}

/**
 * Everything that the report page shows. `Picture` is a PNG data URI for `renderReport` and interleaved 8-bit RGB
 * (size × size × 3) for `writeReport`, which encodes it.
 */
export interface ReportInput<Image = string> {
  readonly report: Report
  readonly lossCurves: {
    readonly pretrain: Curve
    /** Masked loss on held-out subjects, if it was measured. */
    readonly pretrainHeldOut?: Curve
    readonly finetune: { readonly [name in FineTuneName]?: FineTuneCurves }
  }
  /** AU loss of always predicting each unit's base rate in the training images: the loss without learning. */
  readonly baseRateEntropy: number
  /** Lowest identity loss of a constant prediction. */
  readonly identityConstant: number
  /** Fraction of the unseen subjects' images in which a unit is present, keyed like f1PerAu. */
  readonly prevalence: Readonly<Record<string, number>>
  readonly reconstructions: {
    /** Image size in pixels. */
    readonly size: number
    readonly samples: readonly ReconstructionSample<Image>[]
    /** Which subjects are shown and how much is masked. */
    readonly caption: string
  }
  readonly embedding: { readonly fmae: EmbeddingPlot; readonly fmaeIat: EmbeddingPlot }
  readonly timings: readonly Timing[]
  /** Name of the setting that ran, such as "short". */
  readonly budget: string
  /** Reasons to distrust the numbers; see findWarnings. */
  readonly warnings: readonly string[]
  readonly command: string
  readonly versions: Readonly<Record<string, string>>
  /** ISO 8601. */
  readonly date: string
  /** Training and test data, in words. */
  readonly folds: string
  readonly notes: readonly string[]
}

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

/** Points of one two-dimensional embedding; `subjects[i]` is the person on `points[i]`. */
export interface EmbeddingPlot {
  readonly points: readonly (readonly [x: number, y: number])[]
  readonly subjects: readonly string[]
}

export interface Timing {
  readonly name: string
  readonly seconds: number
}

/**
 * Everything the report page shows. `Picture` is a PNG data URI for `renderReport` and interleaved 8-bit RGB
 * (size × size × 3) for `writeReport`, which encodes it.
 */
export interface ReportInput<Image = string> {
  readonly report: Report
  readonly lossCurves: {
    readonly pretrain: Curve
    /** Masked loss on people that were not pretrained on, if it was measured. */
    readonly pretrainHeldOut?: Curve
    readonly finetune: { readonly [name in FineTuneName]?: FineTuneCurves }
  }
  /** AU loss of answering each unit's rate among the training pictures, always: the loss of having learnt nothing. */
  readonly baseRateEntropy: number
  /** Lowest identity loss that any constant answer reaches. */
  readonly identityConstant: number
  /** Share of the unseen people's pictures that show a unit, keyed like f1PerAu. */
  readonly prevalence: Readonly<Record<string, number>>
  readonly reconstructions: {
    /** Side of the pictures in pixels. */
    readonly size: number
    readonly samples: readonly ReconstructionSample<Image>[]
    /** Who is shown and how much was hidden, one sentence. */
    readonly caption: string
  }
  readonly embedding: { readonly fmae: EmbeddingPlot; readonly fmaeIat: EmbeddingPlot }
  readonly timings: readonly Timing[]
  /** Name of the setting that ran, such as "short". */
  readonly budget: string
  /** What the reader must know before believing the numbers; see findWarnings. */
  readonly warnings: readonly string[]
  readonly command: string
  readonly versions: Readonly<Record<string, string>>
  /** ISO 8601. */
  readonly date: string
  /** Who trained, chose and tested, in words. */
  readonly folds: string
  readonly notes: readonly string[]
}

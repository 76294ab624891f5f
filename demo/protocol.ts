import * as z from 'zod'
import { vitShape } from '../src/train/checkpoint/vitShape.js'

// What page and worker say to each other. The page calls methods of `PageWorker` (worker/worker.ts) through comlink; the worker tells of
// its own accord by these events.

/** The runs that the page keeps, each with a checkpoint of its own. */
export const runNames = ['pretrain', 'fineTunePlain', 'fineTuneIat', 'ownPretrain', 'ownFineTune'] as const
export type RunName = (typeof runNames)[number]

/** `empty`: nothing trained yet. */
export type RunState = 'empty' | 'paused' | 'running' | 'finished'

export interface RunStatus {
  readonly state: RunState
  readonly step: number
  readonly totalSteps: number
  readonly epochs: number
}

/** Losses of one optimiser step, by name. */
export interface StepPoint {
  readonly step: number
  readonly losses: Readonly<Record<string, number>>
}

export interface Speed {
  readonly imagesPerSecond: number
  readonly millisecondsPerStep: number
  /** All device buffers of the page's worker. */
  readonly deviceBytes: number
}

/** A picture for the page: RGB bytes, size·size·3. */
export interface ReconstructionView {
  readonly original: Uint8Array
  readonly masked: Uint8Array
  readonly reconstruction: Uint8Array
}

export type WorkerEvent =
  /** Something to tell in one line: kernels tuned, storage missing. */
  | { readonly type: 'note'; readonly text: string }
  /** The bundled faces on their way, 0 … 1. */
  | { readonly type: 'loading'; readonly share: number }
  | { readonly type: 'status'; readonly run: RunName; readonly status: RunStatus }
  /** A run starts anew or was restored: its settings, and the curve so far. */
  | {
      readonly type: 'history'
      readonly run: RunName
      readonly settings: unknown
      readonly steps: readonly StepPoint[]
    }
  | {
      readonly type: 'steps'
      readonly run: RunName
      readonly steps: readonly StepPoint[]
      readonly speed: Speed
    }
  | {
      readonly type: 'reconstructions'
      readonly run: RunName
      readonly step: number
      readonly size: number
      readonly samples: readonly ReconstructionView[]
    }
  /** The two classifiers of act 2, as one run: `step` is that which both have done. While they are evaluated, training waits. */
  | {
      readonly type: 'fineTune'
      readonly status: RunStatus
      readonly plan: FineTunePlan | null
      readonly evaluating: boolean
    }
  /** What both classifiers know so far, at each step where they were evaluated. */
  | {
      readonly type: 'pairEvaluations'
      readonly facts: EvaluationFacts
      readonly evaluations: readonly PairEvaluation[]
    }
  | { readonly type: 'featureMaps'; readonly maps: FeatureMaps }
  /** How a classifier did so far, after each epoch. */
  | { readonly type: 'evaluations'; readonly run: RunName; readonly evaluations: readonly Evaluation[] }
  /** The pictures of a visitor's folder on their way, 0 … 1. */
  | { readonly type: 'reading'; readonly share: number }
  /** Runs on a visitor's folder that go on when that folder is picked again: pictures are not kept. */
  | { readonly type: 'waiting'; readonly runs: readonly WaitingRun[] }
  /** A run ended by an error; what was saved before it is kept. */
  | { readonly type: 'failed'; readonly text: string }
  /** The device is gone: nothing runs until the page is loaded again. */
  | { readonly type: 'lost'; readonly text: string }

export interface AdapterSummary {
  /** In the driver's words. */
  readonly description: string
  readonly software: boolean
}

const count = z.int().positive()

/** What can be set for pretraining, checked again when it comes back from storage. */
export const pretrainSettingsSchema = z.object({
  maskRatio: z.number().min(0.1).max(0.95),
  patchSize: z.union([z.literal(8), z.literal(16), z.literal(32)]),
  width: count,
  depth: count,
  batchSize: count,
  /** For 256 pictures a step, as in the command line. */
  baseLearningRate: z.number().positive(),
  epochs: count,
})
export type PretrainSettings = z.output<typeof pretrainSettingsSchema>

/** Sizes of FMAE-nano, which learn within minutes on a software adapter too. */
export const pretrainDefaultSettings: PretrainSettings = {
  maskRatio: 0.75,
  patchSize: 16,
  width: 64,
  depth: 4,
  batchSize: 64,
  baseLearningRate: 8e-3,
  epochs: 8,
}

const share = z.number().min(0).max(1)

const evaluationSchema = z.object({
  epoch: count,
  step: count,
  f1At05: share,
  f1PerAu: z.array(share),
  auc: share.nullable(),
  /** Null where all pictures have the unit, or none. */
  aucPerAu: z.array(share.nullable()),
})
/** Action unit metrics on people who are never trained on. */
export type Evaluation = z.output<typeof evaluationSchema>

export const storedHistorySchema = z.object({
  settings: z.unknown(),
  steps: z.array(z.object({ step: count, losses: z.record(z.string(), z.number()) })),
  evaluations: z.array(evaluationSchema).default([]),
  /** It was running when it was saved, so it goes on after a reload. */
  running: z.boolean(),
})
export type StoredHistory = z.output<typeof storedHistorySchema>

/** What can be set for fine-tuning, checked again when it comes back from storage. */
export const fineTuneSettingsSchema = z.object({
  /** Strength of the gradient reversal in one of the two classifiers; the other has 0. */
  lambda: z.number().min(0.1).max(4),
  batchSize: count,
  epochs: count,
  /** For 256 pictures a step, as in the command line. */
  baseLearningRate: z.number().positive(),
})
export type FineTuneSettings = z.output<typeof fineTuneSettingsSchema>

export const fineTuneDefaultSettings: FineTuneSettings = {
  lambda: 1,
  batchSize: 16,
  epochs: 8,
  baseLearningRate: 3.2e-2,
}

/** Settings of a pair of classifiers, and where both start. */
export const fineTunePlanSchema = fineTuneSettingsSchema.extend({
  encoder: z.object(vitShape),
  /** Step of act 1 that the encoder was taken at; null if it starts at random. */
  pretrainStep: z.int().nonnegative().nullable(),
})
export type FineTunePlan = z.output<typeof fineTunePlanSchema>

const scoresSchema = z.object({
  /** Mean F1 over the AUs, "present" from probability 0.5 on. */
  f1At05: share,
  /** The same at the one threshold that makes it highest on the very pictures of the evaluation: optimistic. */
  f1Best: share,
  threshold: share,
  /** Mean area under the ROC curve over the AUs; null where no AU has both classes. */
  auc: share.nullable(),
  /** Share of pictures in which a softmax regression on the features, fitted to convergence, names the right person. */
  probe: share,
})
/** What a classifier knows at one step. */
export type ClassifierScores = z.output<typeof scoresSchema>

const pairEvaluationSchema = z.object({ step: z.int().nonnegative(), plain: scoresSchema, iat: scoresSchema })
/** Both classifiers, evaluated after the same step with the same pictures. */
export type PairEvaluation = z.output<typeof pairEvaluationSchema>

/** What the evaluations are held with, the same pictures each time. */
export interface EvaluationFacts {
  /** Pictures of people never trained on: AU scores. */
  readonly unseenImages: number
  readonly unseenSubjects: number
  /** Mean F1 of calling every AU present in every one of these pictures. */
  readonly alwaysPresentF1: number
  /** Pictures of people of both kinds: probe. */
  readonly probeImages: number
  readonly probeSubjects: number
  /** Accuracy of guessing people, and of telling them apart by their true AU labels alone. */
  readonly chance: number
  readonly labelsOnly: number
}

const pointsSchema = z.array(z.tuple([z.number(), z.number()]))

const featureMapsSchema = z.object({
  step: z.int().nonnegative(),
  /** Person of each point, 0 … people − 1. */
  subjects: z.array(z.int().nonnegative()),
  /** So many people, the first ones, are trained on; the others are not. */
  known: count,
  /** Places of the pictures' features in the plane, within the unit circle. */
  plain: pointsSchema,
  iat: pointsSchema,
  /** Share of these pictures whose nearest one, in the features themselves, is of the same person. */
  nearest: z.object({ plain: share, iat: share }),
})
/** Maps of the same pictures' features in both classifiers. */
export type FeatureMaps = z.output<typeof featureMapsSchema>

export const storedPairSchema = z.object({
  plan: fineTunePlanSchema,
  evaluations: z.array(pairEvaluationSchema),
  maps: featureMapsSchema.nullable(),
  /** It was running when it was saved, so it goes on after a reload. */
  running: z.boolean(),
})
export type StoredPair = z.output<typeof storedPairSchema>

/** Which folder a run was made with: its pictures are not kept, so it must be picked again. */
const folderMarkSchema = z.object({
  name: z.string(),
  /** Number, and a hash of names, people and labels. */
  images: z.string(),
})
export type FolderMark = z.output<typeof folderMarkSchema>

/** A run that waits for its folder. */
export interface WaitingRun {
  readonly run: RunName
  readonly step: number
  readonly folder: FolderMark
}

/** What the page shows of a folder. */
export interface FolderSummary {
  readonly name: string
  readonly images: number
  readonly subjects: number
  /** Pictures with AU labels. */
  readonly labelled: number
  readonly aus: readonly { readonly unit: number; readonly images: number }[]
  readonly folds: readonly { readonly name: string; readonly subjects: number; readonly images: number }[]
  /** Pretraining uses this many pictures, and leaves the others out to show what was learnt. */
  readonly pretrainImages: number
  /** Null where classifiers cannot be trained; `noFineTune` says why. */
  readonly fineTune: { readonly train: number; readonly test: number } | null
  readonly noFineTune: string | null
  /** The first pictures: RGB bytes, size·size·3. */
  readonly size: number
  readonly thumbnails: readonly Uint8Array[]
}

export const ownPretrainSettingsSchema = pretrainSettingsSchema.extend({ folder: folderMarkSchema })
export type OwnPretrainSettings = z.output<typeof ownPretrainSettingsSchema>

const ownLambda = { lambda: z.number().min(0).max(4) }
/** As in act 2, but with one classifier, which may have λ = 0. */
export const ownFineTuneSettingsSchema = fineTuneSettingsSchema.extend(ownLambda)
export type OwnFineTuneSettings = z.output<typeof ownFineTuneSettingsSchema>

export const ownFineTunePlanSchema = fineTunePlanSchema.extend({
  ...ownLambda,
  folder: folderMarkSchema,
  /** Where the encoder comes from. */
  from: z.enum(['ownPretrain', 'pretrain', 'scratch']),
})
export type OwnFineTunePlan = z.output<typeof ownFineTunePlanSchema>

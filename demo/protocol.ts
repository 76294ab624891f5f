import * as z from 'zod'
import { presets } from '../src/model/presets.js'
import { vitShape } from '../src/train/modelConfig.js'
import { fineTuneRecipes } from '../src/train/recipes.js'
import { fineTuneSettings, pretrainSettings } from '../src/train/settings.js'

// What page and worker say to each other. The page calls methods of `PageWorker` (worker/pageWorker.ts)
// through comlink; the worker tells of its own accord by these events.

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

/** An image for the page: RGB bytes, size·size·3. */
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
  /**
   * The two classifiers of the Fine-tune tab, as one run: `step` is that which both have done. While they are
   * evaluated, training waits.
   */
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
  /** The images of a visitor's folder on their way, 0 … 1. */
  | { readonly type: 'reading'; readonly share: number }
  /** Runs on a visitor's folder that go on when that folder is chosen again: images are not kept. */
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

const pretrain = pretrainSettings.shape

/** What can be set for pretraining, checked again when it comes back from storage. The fields are those of the command line. */
export const pretrainSettingsSchema = z.object({
  maskRatio: pretrain.maskRatio,
  patchSize: z.union([z.literal(8), z.literal(16), z.literal(32)]),
  width: count,
  depth: count,
  batchSize: pretrain.batchSize,
  baseLearningRate: pretrain.baseLearningRate,
  epochs: pretrain.epochs,
})
export type PretrainSettings = z.output<typeof pretrainSettingsSchema>

/** FMAE-nano, which learns within minutes on a software adapter too. */
export const pretrainDefaultSettings: PretrainSettings = pretrainSettingsSchema.parse(presets.nano)

const share = z.number().min(0).max(1)

const evaluationSchema = z.object({
  epoch: count,
  step: count,
  f1At05: share,
  f1PerAu: z.array(share),
  auc: share.nullable(),
  /** Null where all images have the unit, or none. */
  aucPerAu: z.array(share.nullable()),
})
/** Action unit metrics on held-out subjects. */
export type Evaluation = z.output<typeof evaluationSchema>

/** What storage holds of a run beside its checkpoint and its settings. */
export const storedHistorySchema = z.object({
  steps: z.array(z.object({ step: count, losses: z.record(z.string(), z.number()) })),
  evaluations: z.array(evaluationSchema).default([]),
  /** It was running when it was saved, so it goes on after a reload. */
  running: z.boolean(),
})
export type StoredHistory<Settings> = z.output<typeof storedHistorySchema> & { readonly settings: Settings }

const fineTune = fineTuneSettings.shape

/** What can be set for fine-tuning, checked again when it comes back from storage. The fields are those of the command line. */
export const fineTuneSettingsSchema = z.object({
  /** Of one of the two classifiers; the other has 0. */
  lambda: fineTune.lambda,
  batchSize: fineTune.batchSize,
  epochs: fineTune.epochs,
  baseLearningRate: fineTune.baseLearningRate,
})
export type FineTuneSettings = z.output<typeof fineTuneSettingsSchema>

export const fineTuneDefaultSettings: FineTuneSettings = fineTuneSettingsSchema.parse(
  fineTuneRecipes['nano-iat'],
)

/** Settings of a pair of classifiers, and where both start. */
export const fineTunePlanSchema = fineTuneSettingsSchema.extend({
  encoder: z.object(vitShape),
  /** Step of the pretraining run that the encoder was taken at; null if it starts at random. */
  pretrainStep: z.int().nonnegative().nullable(),
})
export type FineTunePlan = z.output<typeof fineTunePlanSchema>

const scoresSchema = z.object({
  /** Mean F1 over the AUs, "present" from probability 0.5 on. */
  f1At05: share,
  /** The same at the one threshold that makes it highest on the very images of the evaluation: optimistic. */
  f1Best: share,
  threshold: share,
  /** Mean area under the ROC curve over the AUs; null where no AU has both classes. */
  auc: share.nullable(),
  /** Accuracy of a softmax regression, fitted to convergence, that predicts the subject from the features. */
  probe: share,
})
/** The scores of a classifier at one step. */
export type ClassifierScores = z.output<typeof scoresSchema>

const pairEvaluationSchema = z.object({ step: z.int().nonnegative(), plain: scoresSchema, iat: scoresSchema })
/** Both classifiers, evaluated after the same step on the same images. */
export type PairEvaluation = z.output<typeof pairEvaluationSchema>

/** What the evaluations have in common: the same images each time. */
export interface EvaluationFacts {
  /** Images of held-out subjects: AU scores. */
  readonly unseenImages: number
  readonly unseenSubjects: number
  /** Mean F1 of marking every AU as present in every one of these images. */
  readonly alwaysPresentF1: number
  /** Images of subjects of both kinds: probe. */
  readonly probeImages: number
  readonly probeSubjects: number
  /** Accuracy of guessing subjects, and of predicting them from their true AU labels alone. */
  readonly chance: number
  readonly labelsOnly: number
}

const pointsSchema = z.array(z.tuple([z.number(), z.number()]))

const featureMapsSchema = z.object({
  step: z.int().nonnegative(),
  /** Subject of each point, 0 … subjects − 1. */
  subjects: z.array(z.int().nonnegative()),
  /** So many subjects, the first ones, are trained on; the others are held out. */
  known: count,
  /** Places of the images' features in the plane, within the unit circle. */
  plain: pointsSchema,
  iat: pointsSchema,
  /** Share of these images whose nearest one, in the features themselves, is of the same subject. */
  nearest: z.object({ plain: share, iat: share }),
})
/** Maps of the same images' features in both classifiers. */
export type FeatureMaps = z.output<typeof featureMapsSchema>

/** Version 0.2.0 called the evaluations `exams`; version 0.3 is the last to read that. */
const withEvaluations = (stored: unknown) =>
  stored instanceof Object && 'exams' in stored ? { evaluations: stored.exams, ...stored } : stored

export const storedPairSchema = z.preprocess(
  withEvaluations,
  z.object({
    plan: fineTunePlanSchema,
    evaluations: z.array(pairEvaluationSchema),
    maps: featureMapsSchema.nullable(),
    /** It was running when it was saved, so it goes on after a reload. */
    running: z.boolean(),
  }),
)
export type StoredPair = z.output<typeof storedPairSchema>

/** Which folder a run was made with: its images are not kept, so it must be chosen again. */
const folderMarkSchema = z.object({
  name: z.string(),
  /** Number, and a hash of names, subjects and labels. */
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
  /** Images with AU labels. */
  readonly labelled: number
  readonly aus: readonly { readonly unit: number; readonly images: number }[]
  readonly folds: readonly { readonly name: string; readonly subjects: number; readonly images: number }[]
  /** Pretraining uses this many images; the others are held out. */
  readonly pretrainImages: number
  /** Null where classifiers cannot be trained; `noFineTune` says why. */
  readonly fineTune: { readonly train: number; readonly test: number } | null
  readonly noFineTune: string | null
  /** The first images: RGB bytes, size·size·3. */
  readonly size: number
  readonly thumbnails: readonly Uint8Array[]
}

export const ownPretrainSettingsSchema = pretrainSettingsSchema.extend({ folder: folderMarkSchema })
export type OwnPretrainSettings = z.output<typeof ownPretrainSettingsSchema>

export const ownFineTunePlanSchema = fineTunePlanSchema.extend({
  folder: folderMarkSchema,
  /** Where the encoder comes from. */
  from: z.enum(['ownPretrain', 'pretrain', 'scratch']),
})
export type OwnFineTunePlan = z.output<typeof ownFineTunePlanSchema>

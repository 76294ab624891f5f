import { z } from 'zod'

// What page and worker say to each other. The page calls methods of `Studio` (worker/studio.ts) through comlink; the worker tells of
// its own accord by these events.

/** The runs that the page keeps, each with a checkpoint of its own. */
export const jobNames = ['pretrain', 'fineTunePlain', 'fineTuneIat', 'ownPretrain', 'ownFineTune'] as const
export type JobName = (typeof jobNames)[number]

/** `empty`: nothing trained yet. */
export type JobState = 'empty' | 'paused' | 'running' | 'finished'

export interface JobStatus {
  readonly state: JobState
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

export type StudioEvent =
  /** Something to tell in one line: kernels tuned, storage missing. */
  | { readonly type: 'note'; readonly text: string }
  /** The bundled faces on their way, 0 … 1. */
  | { readonly type: 'loading'; readonly share: number }
  | { readonly type: 'status'; readonly job: JobName; readonly status: JobStatus }
  /** A run starts anew or was restored: its settings, and the curve so far. */
  | {
      readonly type: 'history'
      readonly job: JobName
      readonly settings: unknown
      readonly steps: readonly StepPoint[]
    }
  | {
      readonly type: 'steps'
      readonly job: JobName
      readonly steps: readonly StepPoint[]
      readonly speed: Speed
    }
  | {
      readonly type: 'reconstructions'
      readonly job: JobName
      readonly step: number
      readonly size: number
      readonly samples: readonly ReconstructionView[]
    }
  /** A run ended by an error; what was saved before it is kept. */
  | { readonly type: 'failed'; readonly job: JobName; readonly text: string }
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

export const storedHistorySchema = z.object({
  settings: z.unknown(),
  steps: z.array(z.object({ step: count, losses: z.record(z.string(), z.number()) })),
  /** It was running when it was saved, so it goes on after a reload. */
  running: z.boolean(),
})

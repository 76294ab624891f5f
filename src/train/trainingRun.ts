import type { Batch, BatchSource } from '../data/batches.js'
import type { ParameterArena } from '../engine/parameters.js'
import type { RandomState } from '../engine/randomState.js'
import type { Runtime } from '../engine/runtime.js'
import type { Tensor } from '../engine/tensor.js'
import type { AdamW } from './optim/adamw.js'
import type { Schedule } from './optim/schedule.js'
import type { FineTuneSettings } from './settings.js'

/** Settings that every kind of training has. */
export type RunSettings = Pick<
  FineTuneSettings,
  | 'seed'
  | 'batchSize'
  | 'accumulation'
  | 'epochs'
  | 'warmupEpochs'
  | 'baseLearningRate'
  | 'minimumLearningRate'
  | 'weightDecay'
  | 'beta1'
  | 'beta2'
  | 'clipGradient'
  | 'checkpointActivations'
  | 'precision'
>

/** A training run, as the loop, the checkpoints and the log see it. */
export interface TrainingRun {
  readonly kind: 'fmae' | 'iat'
  readonly runtime: Runtime
  readonly settings: RunSettings
  readonly parameters: ParameterArena
  readonly optimizer: AdamW
  readonly batches: BatchSource
  readonly random: RandomState
  readonly schedule: Schedule
  readonly lossNames: readonly string[]
  /** Uploads a batch to the run's input tensors. */
  readonly upload: (batch: Batch) => void
  /** Forward and backward of the uploaded batch: leaves gradients in the arena, returns the scalars of `lossNames`. */
  readonly microBatch: () => readonly Tensor[]
}

import type { StoredType } from '../../kernels/stored.js'
import type { TensorRuntime } from '../engine/tensor.js'

/** How a model runs, as opposed to what it computes: none of it is part of a checkpoint. */
export interface Execution {
  /** Keep only the input of each block, and recompute the rest in backward (see engine/activationCheckpoint.ts). */
  readonly checkpointActivations: boolean
  /** How activations and their gradients are stored in training; f16 is mixed precision. */
  readonly precision: StoredType
}

export const plainExecution: Execution = { checkpointActivations: false, precision: 'f32' }

/** Mixed precision is for training only: without a tape, a model runs in f32, so that its output depends only on its weights. */
export function activationType({ tape }: TensorRuntime, { precision }: Execution): StoredType {
  return tape ? precision : 'f32'
}

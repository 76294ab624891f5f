import type { StoredType } from '../../kernels/stored.js'
import type { TensorRuntime } from '../engine/tensor.js'

/** How a model runs, as opposed to what it computes: none of it is part of a checkpoint. */
export interface Execution {
  /**
   * Keep only what enters each block, and compute the rest again in backward (see
   * engine/activationCheckpoint.ts).
   */
  readonly checkpointActivations: boolean
  /** How activations and their gradients are stored in training; f16 is mixed precision. */
  readonly precision: StoredType
}

export const plainExecution: Execution = { checkpointActivations: false, precision: 'f32' }

/**
 * Only training is done in mixed precision: without a tape a model runs in f32, so that what it gives depends
 * on its weights alone.
 */
export function activationType({ tape }: TensorRuntime, { precision }: Execution): StoredType {
  return tape ? precision : 'f32'
}

/** How a model runs, as opposed to what it computes: none of it is part of a checkpoint. */
export interface Execution {
  /** Keep only what enters each block, and compute the rest again in backward (see engine/checkpoint.ts). */
  readonly checkpointActivations: boolean
}

export const plainExecution: Execution = { checkpointActivations: false }

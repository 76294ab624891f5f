import { writeAtomically } from '../../atomicWrite.node.js'
import type { Choices } from '../../engine/variants.js'

import type { TrainingRun } from '../trainingRun.js'
import { type CheckpointInfo, encodeCheckpoint, readInfo, restoreCheckpoint } from './checkpoint.js'
import { readSafetensors } from './safetensorsFile.node.js'

/** Saves the run atomically. It must be the only run of its runtime, whose kernel variants are saved too. */
export async function saveCheckpoint(path: string, run: TrainingRun, info: CheckpointInfo): Promise<void> {
  await writeAtomically(path, await encodeCheckpoint(path, run, info, run.runtime.variants.inUse))
}

/**
 * Restores `run` from `path`; see `restoreCheckpoint`. Returns the kernel variants and the number of epochs
 * of the stored run.
 */
export async function resumeFrom(
  path: string,
  run: TrainingRun,
  info: CheckpointInfo,
): Promise<{ variants: Choices; epochs: number | undefined }> {
  const file = await readSafetensors(path)
  const variants = restoreCheckpoint(file, path, run, info)
  const { epochs } = readInfo(file, path).options
  return { variants, epochs: typeof epochs === 'number' ? epochs : undefined }
}

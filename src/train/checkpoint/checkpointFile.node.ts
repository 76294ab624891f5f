import type { Choices } from '../../engine/variants.js'
import type { TrainingRun } from '../trainingRun.js'
import { writeAtomically } from './atomicWrite.node.js'
import { type CheckpointInfo, encodeCheckpoint, restoreCheckpoint } from './checkpoint.js'
import { readSafetensors } from './safetensorsFile.node.js'

/** Saves the one run of its runtime, replacing the file as a whole. */
export async function saveCheckpoint(path: string, run: TrainingRun, info: CheckpointInfo): Promise<void> {
  await writeAtomically(path, await encodeCheckpoint(path, run, info, run.runtime.variants.inUse))
}

/** Continues `run` from `path`; see `restoreCheckpoint`. */
export async function resumeFrom(path: string, run: TrainingRun, info: CheckpointInfo): Promise<Choices> {
  return restoreCheckpoint(await readSafetensors(path), path, run, info)
}

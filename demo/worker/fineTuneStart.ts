import { presets } from '../../src/model/presets.js'
import { readInfo } from '../../src/train/checkpoint/checkpoint.js'
import { decodeSafetensors } from '../../src/train/checkpoint/safetensors.js'
import type { StartingEncoder } from './fineTunePair.js'
import type { ModelSource } from './training.js'

/** The encoder of a pretraining run as it is now; FMAE-nano with random weights if it has done no step. */
export async function startingEncoder(pretrain: ModelSource): Promise<StartingEncoder> {
  const { run } = pretrain
  if (!run || run.optimizer.stepCount === 0) return { config: presets.nano, pretrained: null }
  const parts = await pretrain.download()
  const bytes = new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer())
  const name = 'the pretraining run'
  const file = decodeSafetensors(bytes, name)
  // The file alone tells what it is of: the run did steps, or was replaced, before its turn came.
  return { config: readInfo(file, name).config, pretrained: { step: Number(file.metadata.step), file } }
}

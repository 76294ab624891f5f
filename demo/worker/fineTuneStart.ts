import { presets } from '../../src/model/presets.js'
import { decodeSafetensors } from '../../src/train/checkpoint/safetensors.js'
import type { Pretraining } from '../../src/train/loop/pretraining.js'
import type { PretrainSettings } from '../protocol.js'
import type { StartingEncoder } from './fineTunePair.js'
import type { TrainingJob } from './trainingJob.js'

/** A pretraining run of this page. */
export type Pretrained = Pick<TrainingJob<PretrainSettings>, 'run' | 'download'>

/** The encoder of a pretraining run as it is now; FMAE-nano with random weights if it has done no step. */
export async function startingEncoder(pretrain: Pretrained): Promise<StartingEncoder> {
  const run = pretrain.run as Pretraining | null
  if (!run || run.optimizer.stepCount === 0) return { config: presets.nano, pretrained: null }
  const parts = await pretrain.download()
  const bytes = new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer())
  const file = decodeSafetensors(bytes, 'the pretraining run')
  // A run in progress did steps before it came to rest for the file.
  return { config: run.model.config, pretrained: { step: Number(file.metadata.step), file } }
}

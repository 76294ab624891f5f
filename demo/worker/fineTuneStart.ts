import { presets } from '../../src/model/presets.js'
import { decodeSafetensors } from '../../src/train/checkpoint/safetensors.js'
import type { Pretraining } from '../../src/train/loop/pretraining.js'
import type { PretrainSettings } from '../protocol.js'
import type { StartingEncoder } from './fineTunePair.js'
import type { TrainingJob } from './trainingJob.js'

/** The encoder of act 1 as it is now; FMAE-nano with random weights if act 1 has done no step. */
export async function startingEncoder(pretrain: TrainingJob<PretrainSettings>): Promise<StartingEncoder> {
  const run = pretrain.run as Pretraining | null
  const step = run?.optimizer.stepCount ?? 0
  if (!run || step === 0) return { config: presets.nano, pretrained: null }
  const parts = await pretrain.download()
  const bytes = new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer())
  return {
    config: run.model.config,
    pretrained: { step, file: decodeSafetensors(bytes, 'the run of act 1') },
  }
}

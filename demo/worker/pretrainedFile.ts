import { UserError } from '../../src/errors.js'
import type { ReadInfo } from '../../src/train/checkpoint/checkpoint.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { type PretrainSettings, pretrainDefaultSettings, pretrainSettingsSchema } from '../protocol.js'
import { fmaeConfigOf, pretrainOptionsOf } from './pretrainRun.js'

/**
 * The settings under which the Pretrain tab goes on from a masked autoencoder of the command line.
 * @throws UserError naming the first thing about it that the tab does not support
 */
export function settingsOfFile(info: Extract<ReadInfo, { kind: 'fmae' }>, file: string): PretrainSettings {
  const { maskRatio, patchSize, width, depth } = info.config
  const { batchSize, baseLearningRate, epochs } = { ...pretrainDefaultSettings, ...info.options }
  const wanted = { maskRatio, patchSize, width, depth, batchSize, baseLearningRate, epochs }
  const parsed = pretrainSettingsSchema.safeParse(wanted)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new UserError(
      `${file}: the Pretrain tab does not support its ${issue?.path.join('.')} (${issue?.message})`,
    )
  }
  const settings = parsed.data
  const here = { ...fmaeConfigOf(settings), standardise: pretrainOptionsOf(settings).standardise }
  const theirs: Readonly<Record<string, unknown>> = { ...info.config, standardise: info.standardise }
  for (const [name, value] of Object.entries(here))
    if (theirs[name] !== value)
      throw new UserError(`${file}: ${name} is ${theirs[name]}, but the Pretrain tab supports only ${value}`)
  return settings
}

/** The checkpoint as if this page had made it under `settings`: weights, moments and step as they are. */
export function adopted({ tensors, metadata }: SafetensorsFile, settings: PretrainSettings): SafetensorsFile {
  const { pictures: _theirs, ...kept } = metadata
  return { tensors, metadata: { ...kept, options: JSON.stringify(pretrainOptionsOf(settings)) } }
}

import { toHalves } from '../../engine/float16.js'
import { encodeHeader } from '../checkpoint/safetensors.js'
import { CHECKPOINT_FORMAT } from '../checkpoint/trainingState.js'
import type { WeightFile } from '../checkpoint/weightFile.js'
import type { ClassifierUse } from './describeModel.js'
import type { ImportedModel } from './importModel.js'

/**
 * The model as a safetensors file, in pieces: one tensor is in memory at a time. A masked autoencoder and a classifier
 * become checkpoints of this program, at step 0. An encoder alone becomes a file of weights for `--from`.
 */
export async function* encodeModel(
  file: WeightFile,
  model: ImportedModel,
  type: 'F32' | 'F16',
): AsyncGenerator<Uint8Array> {
  const described = [...model.tensors].map(([name, { shape }]) => ({ name, shape, type }))
  yield encodeHeader(described, metadataOf(file, model))
  for (const { values } of model.tensors.values()) {
    const numbers = await values()
    const stored = type === 'F32' ? numbers : toHalves(numbers)
    yield new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)
  }
}

function useOf({ crop, thresholds }: ClassifierUse): Record<string, string> {
  return { ...(crop && { crop }), ...(thresholds && { thresholds: JSON.stringify(thresholds) }) }
}

function metadataOf(file: WeightFile, model: ImportedModel): Record<string, string> {
  const { rows, layout, leftOut, standardise } = model
  const origin = {
    file: file.name.split(/[/\\]/).at(-1),
    format: file.format,
    layout,
    rows,
    leftOut,
    besides: file.besides,
  }
  const imported = { imported: JSON.stringify(origin) }
  if (model.kind === 'encoder') return { ...imported, config: JSON.stringify(model.config), standardise }
  return {
    ...imported,
    format: CHECKPOINT_FORMAT,
    kind: model.kind,
    config: JSON.stringify(model.config),
    options: '{}',
    standardise,
    step: '0',
    ...(model.kind === 'iat' ? { aus: JSON.stringify(model.aus), ...useOf(model.use) } : {}),
  }
}

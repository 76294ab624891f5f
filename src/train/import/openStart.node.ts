import type { Standardisation } from '../../data/standardise.js'
import type { VitConfig } from '../../model/config.js'
import { openWeightsAt } from '../checkpoint/openWeights.node.js'
import type { SafeTensor } from '../checkpoint/safetensors.js'
import { readSafetensors } from '../checkpoint/safetensorsFile.node.js'
import type { Start } from '../checkpoint/startFrom.js'
import { CHECKPOINT_FORMAT } from '../checkpoint/trainingState.js'
import { type ImportedModel, importModel } from './importModel.js'

/** What a run expects of the weights that it starts from. */
export interface Wanted {
  readonly encoder: VitConfig
  readonly standardise: Standardisation
}

/**
 * The weights of `--from`: a checkpoint of this program, or the encoder of any file that `convert` reads. The heads of
 * another program are left out, because its file does not name their AUs.
 */
export async function openStart(path: string, wanted: Wanted, say: (line: string) => void): Promise<Start> {
  const name = `--from ${path}`
  const file = await openWeightsAt(path)
  if (file.metadata.format === CHECKPOINT_FORMAT) return { file: await readSafetensors(path), path: name }
  const model = importModel({ ...file, name }, { encoderOnly: true, heads: wanted.encoder.heads })
  for (const difference of differences(model, wanted)) say(`${name}: ${difference}`)
  const tensors = new Map<string, SafeTensor>()
  for (const [tensor, { shape, values }] of model.tensors)
    tensors.set(tensor, { shape, data: await values() })
  return { file: { tensors, metadata: {} }, path: name }
}

/** What the run does otherwise than the program that made the weights. */
function differences({ config, standardise }: ImportedModel, wanted: Wanted): string[] {
  const pairs = [
    ['standardise', standardise, wanted.standardise],
    ['layerNormEps', config.layerNormEps, wanted.encoder.layerNormEps],
  ]
  return pairs
    .filter(([, theirs, ours]) => theirs !== ours)
    .map(([name, theirs, ours]) => `${name} was ${theirs} in its training and is ${ours} in this run`)
}

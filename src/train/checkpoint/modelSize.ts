import { UserError } from '../../errors.js'
import {
  type ClassifierConfig,
  checkFmaeConfig,
  checkVitConfig,
  type FmaeConfig,
  patchCount,
  patchValues,
} from '../../model/config.js'
import { checkSizes } from '../modelConfig.js'
import type { SafeTensor } from './safetensors.js'

/** A model that a file describes. */
export type FileModel =
  | { readonly kind: 'fmae'; readonly config: FmaeConfig }
  | { readonly kind: 'iat'; readonly config: ClassifierConfig }

/**
 * Checks the sizes of a model before anything is allocated: a small file may ask for 10¹⁶ weights.
 *
 * @param where begins the message
 * @throws UserError if the sizes are inconsistent, or the model has more weights than the file has numbers
 */
export function checkModelSize(
  model: FileModel,
  tensors: ReadonlyMap<string, SafeTensor>,
  where: string,
): void {
  checkSizes(() => {
    if (model.kind === 'fmae') checkFmaeConfig(model.config)
    else checkVitConfig(model.config)
  }, where)
  const wanted = leastWeights(model)
  const held = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0)
  if (wanted > held)
    throw new UserError(
      `${where}: the model has at least ${wanted.toLocaleString('en-US')} weights, but the file contains only ${held.toLocaleString('en-US')} numbers`,
    )
}

/** A lower bound of the number of weights: the matrices, counted without creating a list. */
function leastWeights({ kind, config }: FileModel): number {
  const { width, depth } = config
  const stacks = stackWeights(config, width, depth)
  if (kind === 'iat') {
    const identity = config.lambda > 0 ? (config.subjects * width) / 2 ** (config.idHeadLayers - 1) : 0
    return stacks + config.aus * width + identity
  }
  return stacks + stackWeights(config, config.decoderWidth, config.decoderDepth)
}

/** Position embeddings, patch projection and blocks. */
function stackWeights(config: FileModel['config'], width: number, depth: number): number {
  const blocks = depth * (4 + 2 * config.mlpRatio) * width * width
  return (1 + patchCount(config) + patchValues(config)) * width + blocks
}

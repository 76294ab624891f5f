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

/** A model as a file describes it. */
export type FileModel =
  | { readonly kind: 'fmae'; readonly config: FmaeConfig }
  | { readonly kind: 'iat'; readonly config: ClassifierConfig }

/**
 * Refuses sizes that make no model, or one of more weights than the file holds numbers, before anything is made of them: a file of
 * kilobytes may ask for 10¹⁶ weights. `where` begins the message.
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
      `${where}: such a model has ${wanted.toLocaleString('en-US')} weights or more; the file holds ${held.toLocaleString('en-US')} numbers`,
    )
}

/** Weights that a model has at least: its matrices, counted without listing them. */
function leastWeights({ kind, config }: FileModel): number {
  const { width, depth } = config
  const stacks = stackWeights(config, width, depth)
  if (kind === 'iat') {
    const identity = config.lambda > 0 ? (config.subjects * width) / 2 ** (config.idHeadLayers - 1) : 0
    return stacks + config.aus * width + identity
  }
  return stacks + stackWeights(config, config.decoderWidth, config.decoderDepth)
}

/** Positions, patches in or out, and blocks. */
function stackWeights(config: FileModel['config'], width: number, depth: number): number {
  const blocks = depth * (4 + 2 * config.mlpRatio) * width * width
  return (1 + patchCount(config) + patchValues(config)) * width + blocks
}

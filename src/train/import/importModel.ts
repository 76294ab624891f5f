import type { ParameterSpec } from '../../engine/parameters.js'
import { UserError } from '../../errors.js'
import { classifierParameters } from '../../model/auClassifier.js'
import type { ClassifierConfig, FmaeConfig, VitConfig } from '../../model/config.js'
import { fmaeParameters } from '../../model/fmae.js'
import { encoderParameters } from '../../model/vit.js'
import { gridOf, interpolatePositions } from '../../model/weights/interpolatePositions.js'
import type { WeightFile } from '../checkpoint/weightFile.js'
import { checkSizes } from '../modelConfig.js'
import { type Described, describeModel, type ImportSettings } from './describeModel.js'
import { type ImportedTensor, importedTensors, type LeftOut } from './importedTensors.js'
import { shapeOf } from './shapes.js'

/** Weights of another program as one of our models. Nothing but shapes was read so far. */
export type ImportedModel = Described & {
  /** All weights of the model in state-dict order. */
  readonly tensors: ReadonlyMap<string, ImportedTensor>
  readonly layout: string
  readonly leftOut: readonly LeftOut[]
}

/**
 * The model in a weight file. Strict: every weight of the model must be there in its shape, and every other tensor is
 * listed with the reason.
 *
 * @throws UserError that names the tensor, both shapes, and the option that would make it fit
 */
export function importModel(file: WeightFile, settings: ImportSettings): ImportedModel {
  const { layout, tensors: found, leftOut } = importedTensors(file)
  const described = describeModel(file, layout, found, settings)
  const specs = checkSizesOf(file, described)
  const tensors = new Map<string, ImportedTensor>()
  for (const { name, shape } of specs) {
    const tensor = found.get(name)
    if (!tensor) throw new UserError(`${file.name}: tensor ${name} is missing (${layout.name})`)
    tensors.set(name, fitted(file.name, name, tensor, shape))
  }
  const unused = [...found.keys()].filter((name) => !tensors.has(name))
  return {
    ...described,
    tensors,
    layout: layout.name,
    leftOut: [...leftOut, ...unused.map((name) => ({ name, reason: reasonFor(name, described) }))],
  }
}

function checkSizesOf(file: WeightFile, { kind, config }: Described): ParameterSpec[] {
  let specs: ParameterSpec[] = []
  checkSizes(() => {
    if (kind === 'fmae') specs = fmaeParameters(config as FmaeConfig)
    else if (kind === 'iat') specs = classifierParameters(config as ClassifierConfig)
    else specs = encoderParameters(config as VitConfig)
  }, file.name)
  return specs
}

/** Position tables are interpolated to the model's size; every other shape must be equal. */
function fitted(
  file: string,
  name: string,
  tensor: ImportedTensor,
  shape: readonly number[],
): ImportedTensor {
  if (tensor.shape.join() === shape.join()) return tensor
  if (/^(decoder_)?pos_embed$/.test(name)) return resized(file, name, tensor, shape)
  throw new UserError(`${file}: tensor ${name} is [${tensor.shape}]; the model expects [${shape}]`)
}

function resized(
  file: string,
  name: string,
  tensor: ImportedTensor,
  shape: readonly number[],
): ImportedTensor {
  const [, tokens, width] = shapeOf(new Map([[name, tensor.shape]]), name, 3, file)
  if (width !== shape[2])
    throw new UserError(`${file}: tensor ${name} is [${tensor.shape}]; the model expects [${shape}]`)
  const from = gridOf(tokens, name, file)
  const to = gridOf(shape[1], name, file)
  return {
    ...tensor,
    shape,
    values: async () => interpolatePositions(await tensor.values(), width, from, to),
  }
}

function reasonFor(name: string, { kind }: Described): string {
  if (kind !== 'fmae' && name.startsWith('norm.')) return 'the norm of pretraining; classifiers have fc_norm'
  if (kind === 'encoder' && /^(decoder_|mask_token)/.test(name)) return 'part of an incomplete decoder'
  if (kind === 'encoder') return 'not part of the encoder'
  return 'not part of the model'
}

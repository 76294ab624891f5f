import { imagenetMean, type Standardisation, standardisations } from '../../data/standardise.js'
import { UserError } from '../../errors.js'
import { type Crop, crops } from '../../face/crop.js'
import type { ClassifierConfig, FmaeConfig, VitConfig } from '../../model/config.js'
import type { Layout } from '../../model/weights/layouts.js'
import type { WeightFile } from '../checkpoint/weightFile.js'
import {
  firstKnown,
  fromFlag,
  fromHint,
  type Known,
  publishedDecoderHeads,
  publishedHeads,
  stated,
  switchHint,
} from './hints.js'
import type { ImportedTensor } from './importedTensors.js'
import { blockCount, type Shapes, shapeOf, shownSizes } from './shapes.js'

/** What a user states about a weight file: what its shapes do not show. */
export interface ImportSettings {
  readonly encoderOnly?: boolean | undefined
  /** Position tables are interpolated to this size. */
  readonly imageSize?: number | undefined
  readonly heads?: number | undefined
  readonly decoderHeads?: number | undefined
  readonly layerNormEps?: number | undefined
  readonly standardise?: Standardisation | undefined
  readonly aus?: readonly number[] | undefined
  readonly lambda?: number | undefined
  /** How the faces of the training images were cropped. */
  readonly crop?: Crop | undefined
  /** Of each AU: from this probability on it is present. */
  readonly thresholds?: readonly number[] | undefined
}

/** What a classifier's users need to know beside its sizes, where somebody says it. */
export interface ClassifierUse {
  readonly crop?: Crop
  readonly thresholds?: readonly number[]
}

/** One line of the table: a field of the model, its value, and where that is from. */
export interface Row {
  readonly field: string
  readonly value: string
  readonly source: string
}

export type Described = {
  readonly rows: readonly Row[]
  readonly standardise: Standardisation
} & (
  | { readonly kind: 'fmae'; readonly config: FmaeConfig }
  | {
      readonly kind: 'iat'
      readonly config: ClassifierConfig
      readonly aus: readonly number[]
      readonly use: ClassifierUse
    }
  /** An encoder alone: a start for fine-tuning. */
  | { readonly kind: 'encoder'; readonly config: VitConfig }
)

/** AUs of the published classifiers, as examples in messages. */
const published = new Map([
  [12, '--aus 1,2,4,6,7,10,12,14,15,17,23,24 for BP4D'],
  [8, '--aus 1,2,4,6,9,12,25,26 for DISFA'],
])

/**
 * The model that a file holds: from the shapes, what the file states, and what the user states.
 *
 * @throws UserError that names the option, where nothing says a value
 */
export function describeModel(
  file: WeightFile,
  layout: Layout,
  tensors: ReadonlyMap<string, ImportedTensor>,
  settings: ImportSettings,
): Described {
  const shapes: Shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]))
  const table = new Table(file.name)
  const kind = kindOf(file.name, shapes, settings)
  table.add('kind', { value: kinds[kind], source: 'names of the tensors' })
  const encoder = encoderConfig(file, layout, shapes, settings, table)
  const standardise = table.need('standardise', '--standardise', standardisation(file, settings))
  if (kind === 'encoder') return { kind, config: encoder, standardise, rows: table.rows }
  if (kind === 'fmae')
    return {
      kind,
      config: fmaeConfigOf(file, shapes, encoder, settings, table),
      standardise,
      rows: table.rows,
    }
  const aus = auNumbers(file, shapes, settings, table)
  const config = classifierConfigOf(file, shapes, encoder, aus, settings, table)
  const use = classifierUse(file, aus, settings, table)
  return { kind, config, aus, use, standardise, rows: table.rows }
}

const kinds = { fmae: 'masked autoencoder', iat: 'AU classifier', encoder: 'encoder only' }

class Table {
  readonly rows: Row[] = []

  constructor(readonly file: string) {}

  add<T>(field: string, { value, source }: Known<T>): T {
    this.rows.push({ field, value: String(value), source })
    return value
  }

  /** @throws UserError that names the flag, if the value is not known */
  need<T>(field: string, flag: string, known: Known<T> | null): T {
    if (known) return this.add(field, known)
    throw new UserError(`${this.file}: ${field}: not stated in the file; add ${flag}`)
  }
}

function kindOf(file: string, shapes: Shapes, { encoderOnly }: ImportSettings): Described['kind'] {
  if (encoderOnly) return 'encoder'
  if (shapes.has('mask_token') && shapes.has('decoder_embed.weight')) return 'fmae'
  if (!shapes.has('head.weight')) return 'encoder'
  if (shapes.has('fc_norm.weight')) return 'iat'
  throw new UserError(
    `${file}: its head reads the class token (there is no fc_norm), but this model pools patch tokens; add --encoder-only to leave the head out`,
  )
}

function encoderConfig(
  { name, hints }: WeightFile,
  layout: Layout,
  shapes: Shapes,
  settings: ImportSettings,
  table: Table,
): VitConfig {
  const shown = shownSizes(shapes, name)
  const fromShapes = <T>(value: T, tensor: string): Known<T> => ({ value, source: `shape of ${tensor}` })
  const { width, depth } = shown
  const size = firstKnown(
    fromFlag('--image-size', settings.imageSize),
    fromShapes(shown.imageSize, 'pos_embed'),
  )!
  const isResized = size.value !== shown.imageSize
  return {
    imageSize: table.add('image size', {
      value: size.value,
      source: isResized
        ? `${size.source}; positions are interpolated from ${shown.imageSize} px`
        : size.source,
    }),
    patchSize: table.add('patch size', fromShapes(shown.patchSize, 'patch_embed.proj.weight')),
    width: table.add('width', fromShapes(width, 'patch_embed.proj.weight')),
    depth: table.add('depth', fromShapes(depth, 'blocks')),
    mlpRatio: table.add('MLP ratio', fromShapes(shown.mlpRatio, 'blocks.0.mlp.fc1.weight')),
    heads: table.need(
      'heads',
      '--heads',
      firstKnown(
        stated(
          name,
          fromFlag('--heads', settings.heads),
          fromHint(hints, 'heads', 'num_attention_heads', 'num_heads'),
        ),
        publishedHeads({ width, depth }),
      ),
    ),
    layerNormEps: table.add(
      'epsilon of layer norms',
      firstKnown(
        stated(
          name,
          fromFlag('--layer-norm-eps', settings.layerNormEps),
          fromHint(hints, 'layerNormEps', 'layer_norm_eps'),
        ),
        { value: layout.layerNormEps, source: `default of ${layout.name}` },
      )!,
    ),
  }
}

/** ImageNet's mean is the only one that is not computed from the image. */
function standardisation({ name, hints }: WeightFile, settings: ImportSettings): Known<Standardisation> {
  const flag = fromFlag('--standardise', settings.standardise)
  const own = standardisations.find((candidate) => candidate === hints.standardise)
  const known = stated(name, flag, own ? { value: own, source: 'standardise of the file' } : null)
  if (known) return known
  const mean = hints.image_mean
  if (!Array.isArray(mean)) return { value: 'imagenet', source: 'default of MAE, FMAE and FMAE-IAT' }
  if (Math.abs(mean[0] - imagenetMean[0]) < 1e-3)
    return { value: 'imagenet', source: 'image_mean of the file' }
  throw new UserError(
    `${name}: its images are normalized with mean [${mean}]; only ImageNet's [${imagenetMean}] is supported. To use it nevertheless, add --standardise imagenet`,
  )
}

function fmaeConfigOf(
  { name, hints }: WeightFile,
  shapes: Shapes,
  encoder: VitConfig,
  settings: ImportSettings,
  table: Table,
): FmaeConfig {
  const [decoderWidth] = shapeOf(shapes, 'decoder_embed.weight', 2, name)
  const decoderDepth = blockCount(shapes, 'decoder_blocks')
  const heads = firstKnown(
    stated(
      name,
      fromFlag('--decoder-heads', settings.decoderHeads),
      fromHint(hints, 'decoderHeads', 'decoder_num_attention_heads'),
    ),
    publishedDecoderHeads({ width: decoderWidth, depth: decoderDepth }),
  )
  const normPix = firstKnown(switchHint(hints, 'normPix', 'norm_pix_loss'), {
    value: true,
    source: 'default of FMAE',
  })!
  const maskRatio = firstKnown(fromHint(hints, 'maskRatio', 'mask_ratio'), {
    value: 0.75,
    source: 'default of MAE',
  })!
  return {
    ...encoder,
    decoderWidth: table.add('decoder width', {
      value: decoderWidth,
      source: 'shape of decoder_embed.weight',
    }),
    decoderDepth: table.add('decoder depth', { value: decoderDepth, source: 'shape of decoder_blocks' }),
    decoderHeads: table.need('decoder heads', '--decoder-heads', heads),
    maskRatio: table.add('mask ratio', maskRatio),
    normPix: table.add('targets are normalized patches', normPix),
  }
}

function auNumbers(
  { name, hints }: WeightFile,
  shapes: Shapes,
  settings: ImportSettings,
  table: Table,
): readonly number[] {
  const [outputs] = shapeOf(shapes, 'head.weight', 2, name)
  const own = Array.isArray(hints.aus)
    ? { value: hints.aus as readonly number[], source: 'aus of the file' }
    : null
  const aus = stated(name, fromFlag('--aus', settings.aus), own)
  if (!aus) {
    const example = published.get(outputs) ?? '--aus 1,2,4'
    throw new UserError(
      `${name}: its head has ${outputs} outputs, but it does not name their AUs; add --aus, such as ${example}`,
    )
  }
  if (aus.value.length !== outputs)
    throw new UserError(
      `${name}: its head has ${outputs} outputs, but ${aus.source} lists ${aus.value.length} AUs`,
    )
  return table.add('AUs', aus)
}

/** Nothing is assumed: what neither the file nor the user states is not in the checkpoint. */
function classifierUse(
  { name, hints }: WeightFile,
  aus: readonly number[],
  settings: ImportSettings,
  table: Table,
): ClassifierUse {
  const ownCrop = crops.find((candidate) => candidate === hints.crop)
  const crop = stated(
    name,
    fromFlag('--crop', settings.crop),
    ownCrop ? { value: ownCrop, source: 'crop of the file' } : null,
  )
  const own = Array.isArray(hints.thresholds)
    ? { value: hints.thresholds as readonly number[], source: 'thresholds of the file' }
    : null
  const thresholds = stated(name, fromFlag('--thresholds', settings.thresholds), own)
  if (thresholds && thresholds.value.length !== aus.length)
    throw new UserError(
      `${name}: ${thresholds.source} lists ${thresholds.value.length} values for ${aus.length} AUs; expected one for each AU`,
    )
  return {
    ...(crop && { crop: table.add('crop', crop) }),
    ...(thresholds && { thresholds: table.add('thresholds', thresholds) }),
  }
}

function classifierConfigOf(
  { name, hints }: WeightFile,
  shapes: Shapes,
  encoder: VitConfig,
  aus: readonly number[],
  settings: ImportSettings,
  table: Table,
): ClassifierConfig {
  const identity = identityLayers(shapes)
  const common = { ...encoder, aus: aus.length, idLoss: 'bce', dropPath: 0 } as const
  if (identity === 0) return { ...common, subjects: 0, lambda: 0, idHeadLayers: 1 }
  const last = identity === 1 ? 'ID_head.weight' : `ID_head${identity}.weight`
  const [subjects] = shapeOf(shapes, last, 2, name)
  return {
    ...common,
    subjects: table.add('subjects', { value: subjects, source: `shape of ${last}` }),
    lambda: table.need(
      'λ',
      '--lambda',
      stated(name, fromFlag('--lambda', settings.lambda), fromHint(hints, 'lambda', 'grad_reverse')),
    ),
    idHeadLayers: identity,
  }
}

function identityLayers(shapes: Shapes): 0 | 1 | 2 | 3 {
  if (shapes.has('ID_head3.weight')) return 3
  if (shapes.has('ID_head2.weight')) return 2
  return shapes.has('ID_head.weight') ? 1 : 0
}

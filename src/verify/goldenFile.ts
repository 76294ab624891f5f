import * as z from 'zod'
import { UserError } from '../errors.js'
import type { ClassifierConfig, FmaeConfig } from '../model/config.js'
import { checkModelSize } from '../train/checkpoint/modelSize.js'
import { assertFinite, type SafeTensor, type SafetensorsFile } from '../train/checkpoint/safetensors.js'
import { classifierShape, fmaeShape } from '../train/modelConfig.js'

const fmaeSchema = z.object(fmaeShape)

/** Files of the first version have fewer fields: the rest are the values of the reference. */
const classifierSchema = z.object({
  ...classifierShape,
  subjects: classifierShape.subjects.default(0),
  idLoss: classifierShape.idLoss.default('bce'),
  idHeadLayers: classifierShape.idHeadLayers.default(1),
  dropPath: classifierShape.dropPath.default(0),
})

const optimizerSchema = z.object({
  /** Learning rate of every step. */
  lrs: z.array(z.number().nonnegative()).min(1),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]),
  eps: z.number().positive(),
  weightDecay: z.number().nonnegative(),
  /** Fine-tuning only. */
  layerDecay: z.number().positive().max(1).nullish(),
})

export type GoldenOptimizer = z.output<typeof optimizerSchema>

/** A complete golden file: its tensors are finite, but not yet compared with the model's shapes. */
export type GoldenFile = {
  readonly file: string
  readonly tensors: ReadonlyMap<string, SafeTensor>
  readonly optimizer: GoldenOptimizer | null
} & (
  | { readonly kind: 'fmae'; readonly config: FmaeConfig }
  | { readonly kind: 'classifier'; readonly config: ClassifierConfig }
)

/**
 * Reads metadata and checks values. @throws UserError naming the file and the field or tensor that is wrong.
 */
export function parseGoldenFile(file: string, { tensors, metadata }: SafetensorsFile): GoldenFile {
  for (const [name, { data }] of tensors) assertFinite(`${file}: tensor ${name}`, data)
  // Files of 0.2.0 say iat.
  const kind = metadata.kind === 'iat' ? 'classifier' : metadata.kind
  const optimizer =
    metadata.optimizer === undefined ? null : parseJson(file, 'optimizer', metadata, optimizerSchema)
  if (kind === 'fmae') {
    const config = parseJson(file, 'config', metadata, fmaeSchema)
    checkModelSize({ kind, config }, tensors, `${file}: config`)
    return { file, tensors, optimizer, kind, config }
  }
  if (kind === 'classifier') {
    const config = parseJson(file, 'config', metadata, classifierSchema)
    checkModelSize({ kind: 'iat', config }, tensors, `${file}: config`)
    if (config.lambda > 0 && config.subjects === 0) {
      throw new UserError(`${file}: config: lambda is ${config.lambda}, so subjects must be at least 1`)
    }
    return { file, tensors, optimizer, kind, config }
  }
  const got = kind === undefined ? 'is missing' : `is "${kind}"`
  throw new UserError(`${file}: not a golden file: metadata "kind" ${got}; expected "fmae" or "classifier"`)
}

function parseJson<S extends z.ZodType>(
  file: string,
  field: string,
  metadata: Readonly<Record<string, string>>,
  schema: S,
): z.output<S> {
  const text = metadata[field]
  if (text === undefined) throw new UserError(`${file}: metadata "${field}" is missing`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UserError(`${file}: metadata "${field}" is invalid JSON: ${(error as Error).message}`)
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]
  throw new UserError(`${file}: ${[field, ...path].join('.')}: ${message}`)
}

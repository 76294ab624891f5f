import * as z from 'zod'
import { UserError } from '../errors.js'
import type { ClassifierConfig, FmaeConfig } from '../model/config.js'
import { checkModelSize } from '../train/checkpoint/modelSize.js'
import { assertFinite, type SafeTensor, type SafetensorsFile } from '../train/checkpoint/safetensors.js'
import { vitShape } from '../train/checkpoint/vitShape.js'

const count = z.int().positive()

const fmaeSchema = z.object({
  ...vitShape,
  decoderWidth: count,
  decoderDepth: count,
  decoderHeads: count,
  maskRatio: z.number(),
  normPix: z.boolean(),
})

const iatSchema = z.object({
  ...vitShape,
  aus: count,
  subjects: z.int().nonnegative().default(0),
  lambda: z.number().nonnegative(),
  idLoss: z.enum(['bce', 'softmax']).default('bce'),
  idHeadLayers: z.union([z.literal(1), z.literal(2), z.literal(3)]).default(1),
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

/** A golden file that is complete: its tensors are finite, though not yet set against the model's shapes. */
export type GoldenFile = {
  readonly file: string
  readonly tensors: ReadonlyMap<string, SafeTensor>
  readonly optimizer: GoldenOptimizer | null
} & (
  | { readonly kind: 'fmae'; readonly config: FmaeConfig }
  | { readonly kind: 'iat'; readonly config: ClassifierConfig }
)

/** Reads metadata and checks values. @throws UserError naming the file and the field or tensor that is wrong. */
export function parseGoldenFile(file: string, { tensors, metadata }: SafetensorsFile): GoldenFile {
  for (const [name, { data }] of tensors) assertFinite(`${file}: tensor ${name}`, data)
  const { kind } = metadata
  const optimizer =
    metadata.optimizer === undefined ? null : parseJson(file, 'optimizer', metadata, optimizerSchema)
  if (kind === 'fmae') {
    const config = parseJson(file, 'config', metadata, fmaeSchema)
    checkModelSize({ kind, config }, tensors, `${file}: config`)
    return { file, tensors, optimizer, kind, config }
  }
  if (kind === 'iat') {
    const config = { ...parseJson(file, 'config', metadata, iatSchema), dropPath: 0 }
    checkModelSize({ kind, config }, tensors, `${file}: config`)
    if (config.lambda > 0 && config.subjects === 0) {
      throw new UserError(`${file}: config: lambda is ${config.lambda}, so subjects must be at least 1`)
    }
    return { file, tensors, optimizer, kind, config }
  }
  const got = kind === undefined ? 'is missing' : `is "${kind}"`
  throw new UserError(`${file}: not a golden file: metadata "kind" ${got}; expected "fmae" or "iat"`)
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
    throw new UserError(`${file}: metadata "${field}" is not JSON: ${(error as Error).message}`)
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]
  throw new UserError(`${file}: ${[field, ...path].join('.')}: ${message}`)
}

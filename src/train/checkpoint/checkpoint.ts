import * as z from 'zod'
import type { Choices } from '../../engine/tuner.js'
import { UserError } from '../../errors.js'
import type { TrainingRun } from '../trainingRun.js'
import { checkModelSize } from './modelSize.js'
import { assertFinite, encodeSafetensors, type SafetensorsFile } from './safetensors.js'
import { CHECKPOINT_FORMAT, checkStoredTensors, collectTensors, restoreRun } from './trainingState.js'
import { vitShape } from './vitShape.js'

/** What a checkpoint says of itself beside the tensors. */
export interface CheckpointInfo {
  /** Model geometry, and for a classifier its outputs. */
  readonly config: object
  /** Options of the run; going on with others is refused. */
  readonly options: object
  /** AU numbers of the outputs, in order; classifiers only. */
  readonly aus?: readonly number[]
  readonly standardise: string
  /** What the training pictures were; going on with others is refused. */
  readonly images?: string
  /** How the people were dealt out; classifiers only. */
  readonly folds?: string
}

/**
 * The bytes of a checkpoint, part by part: weights, moments, step, data position and settings. Values that are not finite are refused: they
 * would replace a checkpoint from which the run can still be saved.
 *
 * @param file what messages call it
 * @param variants the kernel variants that the run is made with: going on from the file pins them
 */
export async function encodeCheckpoint(
  file: string,
  run: TrainingRun,
  info: CheckpointInfo,
  variants: Choices,
): Promise<Iterable<Uint8Array>> {
  const tensors = await collectTensors(run)
  for (const [name, { data }] of tensors) {
    assertFinite(`${file}: left as it was: at step ${run.optimizer.stepCount} tensor ${name}`, data)
  }
  return encodeSafetensors(tensors, {
    format: CHECKPOINT_FORMAT,
    kind: run.kind,
    config: JSON.stringify(info.config),
    options: JSON.stringify(info.options),
    standardise: info.standardise,
    step: String(run.optimizer.stepCount),
    // Both follow from the step; they are written for readers of the file.
    batches: JSON.stringify(run.batches.state),
    random: JSON.stringify({ seed: run.random.seed, stream: run.random.stream }),
    variants: JSON.stringify(variants),
    ...(info.aus ? { aus: JSON.stringify(info.aus) } : {}),
    ...(info.images ? { pictures: info.images } : {}),
    ...(info.folds ? { folds: info.folds } : {}),
  })
}

/** Options that may differ between the two halves of a resumed run. */
const freeOptions = new Set([
  'out',
  'resume',
  'debug',
  'cacheMegabytes',
  'checkpointEvery',
  'checkpointActivations',
  'memoryReport',
  'tune',
  'keep',
  'maxMinutes',
])

/**
 * Continues `run` from a checkpoint. Refuses one made with other settings, naming the first that differs. Returns the kernel
 * variants that the run was made with.
 *
 * @param file what messages call it
 */
export function restoreCheckpoint(
  checkpoint: SafetensorsFile,
  file: string,
  run: TrainingRun,
  info: CheckpointInfo,
): Choices {
  const stored = readInfo(checkpoint, file)
  const { options, pictures: images, variants } = stored
  const wanted: Record<string, unknown> = JSON.parse(JSON.stringify(info.options))
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(options)])) {
    if (freeOptions.has(name)) continue
    const [before, now] = [options[name], wanted[name]].map((value) => JSON.stringify(value))
    if (before === now) continue
    // A run can be made longer: the schedule is stretched.
    if (name === 'epochs' && Number(now) > Number(before)) continue
    throw new UserError(
      `--resume: ${file} was made with ${name} = ${before}; this run has ${now}. They must agree`,
    )
  }
  if (images !== undefined && images !== info.images)
    throw new UserError(
      `--resume: ${file} was made with other pictures or labels (${images}; now ${info.images})`,
    )
  const folds = stored.kind === 'iat' ? stored.folds : undefined
  if (folds !== undefined && info.folds !== undefined && folds !== info.folds)
    throw new UserError(
      `--resume: ${file} was made with other folds (${folds}; now ${info.folds}): people who were trained on would be tested on`,
    )
  restoreRun(run, checkpoint, file, stored.step)
  return variants
}

const jsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('not JSON')
    return z.NEVER
  }
})
const size = z.int().positive()
const fmaeShape = z.object({
  ...vitShape,
  decoderWidth: size,
  decoderDepth: size,
  decoderHeads: size,
  maskRatio: z.number().min(0).lt(1),
  normPix: z.boolean(),
})
const classifierShape = z.object({
  ...vitShape,
  aus: size,
  subjects: z.int().nonnegative(),
  lambda: z.number().nonnegative(),
  idLoss: z.enum(['bce', 'softmax']),
  idHeadLayers: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  dropPath: z.number().min(0).lt(1),
})
const step = z
  .string()
  .regex(/^(0|[1-9]\d{0,14})$/, {
    error: ({ input }) => `expected a whole number of steps, got ${JSON.stringify(input)}`,
  })
  .transform(Number)
const common = {
  format: z.literal(CHECKPOINT_FORMAT),
  options: jsonText.pipe(z.record(z.string(), z.unknown())),
  standardise: z.enum(['imagenet', 'highpass']),
  pictures: z.string().optional(),
  step,
  // Checkpoints from before there was a choice have none.
  variants: jsonText.pipe(z.record(z.string(), z.string())).default({}),
}
const infoSchema = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('fmae'), config: jsonText.pipe(fmaeShape) }),
  z.object({
    ...common,
    kind: z.literal('iat'),
    config: jsonText.pipe(classifierShape),
    aus: jsonText.pipe(
      z.array(size).refine((aus) => new Set(aus).size === aus.length, 'expected each AU once'),
    ),
    // Checkpoints from before it was written have none.
    folds: z.string().optional(),
  }),
])

export type ReadInfo = z.output<typeof infoSchema>

/** The metadata of one of our checkpoints, checked, and checked against its tensors. */
export function readInfo({ tensors, metadata }: SafetensorsFile, path: string): ReadInfo {
  if (metadata.format !== CHECKPOINT_FORMAT)
    throw new UserError(
      `${path}: no checkpoint of ours: metadata field format is ${JSON.stringify(metadata.format)}; expected "${CHECKPOINT_FORMAT}". Weights of another origin can be fine-tuned: finetune --from`,
    )
  const parsed = infoSchema.safeParse(metadata)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new UserError(`${path}: metadata field ${issue?.path.join('.')}: ${issue?.message}`)
  }
  const info = parsed.data
  if (info.kind === 'iat' && info.aus.length !== info.config.aus)
    throw new UserError(
      `${path}: metadata field aus: lists ${info.aus.length} AUs; its model has ${info.config.aus} outputs`,
    )
  checkModelSize(info, tensors, `${path}: metadata field config`)
  checkStoredTensors(tensors, path)
  return info
}

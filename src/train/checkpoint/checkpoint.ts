import * as z from 'zod'
import type { Choices } from '../../engine/variants.js'
import { UserError } from '../../errors.js'
import { type Crop, crops } from '../../face/crop.js'
import type { ClassifierConfig, FmaeConfig } from '../../model/config.js'
import { classifierShape, fmaeShape } from '../modelConfig.js'
import {
  comparedFields,
  type FineTuneSettings,
  fineTuneSettings,
  type PretrainSettings,
  pretrainSettings,
} from '../settings.js'
import type { TrainingRun } from '../trainingRun.js'
import { checkModelSize } from './modelSize.js'
import { assertFinite, encodeSafetensors, type SafetensorsFile } from './safetensors.js'
import { CHECKPOINT_FORMAT, checkStoredTensors, collectTensors, restoreRun } from './trainingState.js'

/** The metadata of a checkpoint. */
export interface CheckpointInfo {
  /** Sizes of the model, and the outputs of a classifier. */
  readonly config: FmaeConfig | ClassifierConfig
  /** Settings of the run; it resumes only with the same ones. */
  readonly settings: PretrainSettings | FineTuneSettings
  /** AU numbers of the outputs, in order; classifiers only. */
  readonly aus?: readonly number[]
  /** Digest of the training images; the run resumes only with the same ones. */
  readonly images?: string
  /** Digest of the folds; classifiers only. */
  readonly folds?: string
  /** How faces are cropped in the input; undefined if the data does not say. */
  readonly crop?: Crop
}

/**
 * The bytes of a checkpoint, in pieces: weights, moments, step, data position and settings.
 *
 * @param file name of the file in messages
 * @param variants the kernel variants in use; a run that resumes from the file uses the same ones
 * @throws UserError if a value is not finite, so that a diverged state never replaces a good checkpoint
 */
export async function encodeCheckpoint(
  file: string,
  run: TrainingRun,
  info: CheckpointInfo,
  variants: Choices,
): Promise<Iterable<Uint8Array>> {
  const tensors = await collectTensors(run)
  for (const [name, { data }] of tensors) {
    assertFinite(`${file}: not replaced: at step ${run.optimizer.stepCount} tensor ${name}`, data)
  }
  return encodeSafetensors(tensors, {
    format: CHECKPOINT_FORMAT,
    kind: run.kind,
    config: JSON.stringify(info.config),
    options: JSON.stringify(info.settings),
    standardise: info.settings.standardise,
    step: String(run.optimizer.stepCount),
    // Both follow from the step; they are for people who read the file.
    batches: JSON.stringify(run.batches.state),
    random: JSON.stringify({ seed: run.random.seed, stream: run.random.stream }),
    variants: JSON.stringify(variants),
    ...(info.aus ? { aus: JSON.stringify(info.aus) } : {}),
    ...(info.images ? { pictures: info.images } : {}),
    ...(info.folds ? { folds: info.folds } : {}),
    ...(info.crop ? { crop: info.crop } : {}),
  })
}

/**
 * Restores `run` from a checkpoint. Returns the kernel variants that the run used.
 *
 * @param file name of the file in messages
 * @throws UserError that names the first difference, if settings, images or folds differ
 */
export function restoreCheckpoint(
  checkpoint: SafetensorsFile,
  file: string,
  run: TrainingRun,
  info: CheckpointInfo,
): Choices {
  const stored = readInfo(checkpoint, file)
  for (const { name, before, now } of differences(stored, info, run.kind, file)) {
    throw new UserError(
      `--resume ${file}: ${name} is ${JSON.stringify(before)} in the checkpoint and ${JSON.stringify(now)} in this run; they must be equal`,
    )
  }
  if (stored.pictures !== undefined && stored.pictures !== info.images)
    throw new UserError(
      `--resume ${file}: the images or labels have changed (${stored.pictures}; now ${info.images})`,
    )
  const folds = stored.kind === 'iat' ? stored.folds : undefined
  if (folds !== undefined && info.folds !== undefined && folds !== info.folds)
    throw new UserError(
      `--resume ${file}: the folds have changed (${folds}; now ${info.folds}), so training subjects could be tested as unseen`,
    )
  restoreRun(run, checkpoint, file, stored.step)
  return stored.variants
}

interface Difference {
  readonly name: string
  readonly before: unknown
  readonly now: unknown
}

/** Differences between the stored run and this one: settings, model sizes and AUs. */
function differences(
  stored: ReadInfo,
  info: CheckpointInfo,
  kind: TrainingRun['kind'],
  file: string,
): Difference[] {
  if (stored.kind !== kind) return [{ name: 'kind', before: stored.kind, now: kind }]
  const schema = kind === 'fmae' ? pretrainSettings : fineTuneSettings
  const settings = storedSettings(schema, stored.options, file)
  const pairs = [
    ...comparedFields(schema).map((name) => [name, settings, info.settings] as const),
    ...Object.keys(info.config).map((name) => [name, stored.config, info.config] as const),
    ...(stored.kind === 'iat' ? [['aus', stored, info] as const] : []),
  ]
  return (
    pairs
      .map(([name, before, now]) => ({ name, before: settingOf(before, name), now: settingOf(now, name) }))
      // 0.2.0 did not store values that came from the data (such as the last fold); the digests cover them.
      .filter(({ before, now }) => before !== undefined && JSON.stringify(before) !== JSON.stringify(now))
      // A run may be extended: more epochs stretch the schedule.
      .filter(({ name, before, now }) => name !== 'epochs' || Number(now) < Number(before))
  )
}

function settingOf(record: object, name: string): unknown {
  return (record as Readonly<Record<string, unknown>>)[name]
}

/**
 * Settings of any version, parsed with the current schema: new fields get their defaults, removed fields are
 * ignored. Checkpoints therefore stay resumable when a setting is added.
 */
function storedSettings(
  schema: z.ZodObject,
  stored: Readonly<Record<string, unknown>>,
  file: string,
): object {
  const known = Object.entries(stored).filter(([name]) => Object.hasOwn(schema.shape, name))
  const parsed = schema.safeParse(Object.fromEntries(known))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new UserError(`${file}: metadata field options.${issue.path.join('.')}: ${issue.message}`)
}

const jsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('not JSON')
    return z.NEVER
  }
})
const step = z
  .string()
  .regex(/^(0|[1-9]\d{0,14})$/, {
    error: ({ input }) => `expected a non-negative integer, got ${JSON.stringify(input)}`,
  })
  .transform(Number)
const common = {
  format: z.literal(CHECKPOINT_FORMAT),
  options: jsonText.pipe(z.record(z.string(), z.unknown())),
  standardise: z.enum(['imagenet', 'highpass']),
  pictures: z.string().optional(),
  step,
  // Missing in checkpoints from before there were variants.
  variants: jsonText.pipe(z.record(z.string(), z.string())).default({}),
}
const infoSchema = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('fmae'), config: jsonText.pipe(z.object(fmaeShape)) }),
  z.object({
    ...common,
    kind: z.literal('iat'),
    config: jsonText.pipe(z.object(classifierShape)),
    aus: jsonText.pipe(
      z.array(z.int().positive()).refine((aus) => new Set(aus).size === aus.length, 'expected each AU once'),
    ),
    // Missing in older checkpoints.
    folds: z.string().optional(),
    crop: z.enum(crops).optional(),
    thresholds: jsonText.pipe(z.array(z.number().min(0).max(1))).optional(),
  }),
])

export type ReadInfo = z.output<typeof infoSchema>
export type ClassifierInfo = Extract<ReadInfo, { kind: 'iat' }>

/**
 * The metadata of a checkpoint, checked by itself and against the tensors.
 *
 * @throws UserError that names the field.
 */
export function readInfo({ tensors, metadata }: SafetensorsFile, path: string): ReadInfo {
  if (metadata.format !== CHECKPOINT_FORMAT)
    throw new UserError(
      `${path}: not a checkpoint of fmae-webgpu: metadata field format is ${JSON.stringify(metadata.format) ?? 'missing'}; expected "${CHECKPOINT_FORMAT}". To fine-tune weights of another program, use finetune --from`,
    )
  const parsed = infoSchema.safeParse(metadata)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new UserError(`${path}: metadata field ${issue?.path.join('.')}: ${issue?.message}`)
  }
  const info = parsed.data
  if (info.kind === 'iat' && info.aus.length !== info.config.aus)
    throw new UserError(
      `${path}: metadata field aus lists ${info.aus.length} AUs, but the model has ${info.config.aus} outputs`,
    )
  if (info.kind === 'iat' && info.thresholds && info.thresholds.length !== info.aus.length)
    throw new UserError(
      `${path}: metadata field thresholds has ${info.thresholds.length} values for ${info.aus.length} AUs`,
    )
  checkModelSize(info, tensors, `${path}: metadata field config`)
  checkStoredTensors(tensors, path)
  return info
}

/** As `readInfo`. @throws UserError for a checkpoint without AU outputs, too */
export function readClassifierInfo(file: SafetensorsFile, path: string): ClassifierInfo {
  const info = readInfo(file, path)
  if (info.kind === 'iat') return info
  throw new UserError(`${path}: an FMAE checkpoint has no AU outputs; expected a checkpoint of finetune`)
}

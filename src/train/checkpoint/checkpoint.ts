import * as z from 'zod'
import type { Choices } from '../../engine/variants.js'
import { UserError } from '../../errors.js'
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

/** What a checkpoint says of itself beside the tensors. */
export interface CheckpointInfo {
  /** Model geometry, and for a classifier its outputs. */
  readonly config: FmaeConfig | ClassifierConfig
  /** Settings of the run; continuing with others is refused. */
  readonly settings: PretrainSettings | FineTuneSettings
  /** AU numbers of the outputs, in order; classifiers only. */
  readonly aus?: readonly number[]
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
    options: JSON.stringify(info.settings),
    standardise: info.settings.standardise,
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
  for (const { name, before, now } of differences(stored, info, run.kind, file)) {
    throw new UserError(
      `--resume: ${file} was made with ${name} = ${JSON.stringify(before)}; this run has ${JSON.stringify(now)}. They must agree`,
    )
  }
  if (stored.pictures !== undefined && stored.pictures !== info.images)
    throw new UserError(
      `--resume: ${file} was made with other images or labels (${stored.pictures}; now ${info.images})`,
    )
  const folds = stored.kind === 'iat' ? stored.folds : undefined
  if (folds !== undefined && info.folds !== undefined && folds !== info.folds)
    throw new UserError(
      `--resume: ${file} was made with other folds (${folds}; now ${info.folds}): subjects who were trained on would be tested on`,
    )
  restoreRun(run, checkpoint, file, stored.step)
  return stored.variants
}

interface Difference {
  readonly name: string
  readonly before: unknown
  readonly now: unknown
}

/** In what a stored run and this one differ that must agree: settings, model sizes and AUs. */
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
      // What 0.2.0 left to the data (such as the last fold) is compared as a digest of the data.
      .filter(({ before, now }) => before !== undefined && JSON.stringify(before) !== JSON.stringify(now))
      // A run can be made longer: the schedule is stretched.
      .filter(({ name, before, now }) => name !== 'epochs' || Number(now) < Number(before))
  )
}

function settingOf(record: object, name: string): unknown {
  return (record as Readonly<Record<string, unknown>>)[name]
}

/**
 * Settings of an older version as today's schema reads them: a field that is new has its default, one that is gone is left out.
 * Adding a setting therefore leaves every checkpoint resumable.
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
  z.object({ ...common, kind: z.literal('fmae'), config: jsonText.pipe(z.object(fmaeShape)) }),
  z.object({
    ...common,
    kind: z.literal('iat'),
    config: jsonText.pipe(z.object(classifierShape)),
    aus: jsonText.pipe(
      z.array(z.int().positive()).refine((aus) => new Set(aus).size === aus.length, 'expected each AU once'),
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

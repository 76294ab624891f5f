/**
 * The settings of a training run: one schema for pretraining and one for fine-tuning. Everything else derives from
 * them: flags and their help texts, `--config` files, the demo's forms, the settings in a checkpoint, and the
 * library's types.
 *
 * To add a setting, add one field here and use it. Its default must keep existing runs unchanged: a checkpoint written
 * before the field existed resumes with the default.
 */
import * as z from 'zod'
import { standardisations } from '../data/standardise.js'
import { crops } from '../face/crop.js'
import { type PresetName, presets } from '../model/presets.js'

/** Headings of `--help`. */
export type SettingGroup = 'Data' | 'Model' | 'Training' | 'Identity adversarial training (IAT)' | 'Run'

/** Metadata of a field, beyond its type and default. */
export interface FieldNotes {
  readonly group: SettingGroup
  /** One line for `--help`. */
  readonly description: string
  /**
   * False if the field may change when a run resumes. Such a field does not affect the results, or its effect is
   * compared instead (model sizes as the model's configuration, the choice of images as a digest).
   */
  readonly compared?: false
}

/** Attaches metadata to a field. */
export function field<S extends z.ZodType>(schema: S, notes: FieldNotes): S {
  return schema.meta({ ...notes })
}

const presetNames = Object.keys(presets) as [PresetName, ...PresetName[]]
const count = z.int().positive()
const rate = z.number().nonnegative()
const momentDecay = z.number().min(0).lt(1)
const foldName = z.string().min(1)

const [inData, inModel, inTraining, inIat] = (
  ['Data', 'Model', 'Training', 'Identity adversarial training (IAT)'] as const
).map(
  (group) =>
    <S extends z.ZodType>(schema: S, description: string, notes?: Pick<FieldNotes, 'compared'>) =>
      field(schema, { group, description, ...notes }),
)
const compared = false

const size = (what: string) => inModel(count.optional(), `${what} (default: from the preset)`, { compared })

const encoder = {
  preset: inModel(z.enum(presetNames).default('nano'), 'model size; the options below override it', {
    compared,
  }),
  imageSize: size('input size in pixels'),
  patchSize: size('patch size in pixels'),
  width: size('encoder width'),
  depth: size('number of encoder blocks'),
  heads: size('number of attention heads in the encoder'),
}

interface OptimizationDefaults {
  readonly batchSize: number
  readonly baseLearningRate: number
  readonly minimumLearningRate: number
  readonly beta2: number
}

/** The defaults suit the `nano` model on 64 px faces; recipes.ts has the published values. */
function optimization(defaults: OptimizationDefaults) {
  return {
    seed: inTraining(
      z.int().nonnegative().max(0xffffffff).default(0),
      'seed of weights, data order, augmentation, masks and drop path',
    ),
    crop: inData(
      z.enum(crops).default('none'),
      'how to cut faces out of the images: none reads whole images, found takes the detected box, aligned turns faces upright',
    ),
    standardise: inTraining(
      z.enum(standardisations).default('highpass'),
      'input normalization: ImageNet mean and standard deviation, or a high-pass filter per image',
    ),
    batchSize: inTraining(count.default(defaults.batchSize), 'images per batch'),
    accumulation: inTraining(count.default(1), 'gradient accumulation: batches per optimizer step'),
    epochs: inTraining(count.default(8), 'passes over the training images'),
    warmupEpochs: inTraining(rate.default(0.8), 'epochs of linear warm-up; may be fractional'),
    baseLearningRate: inTraining(
      rate.default(defaults.baseLearningRate),
      'learning rate per 256 images; scaled by batch size times accumulation',
    ),
    minimumLearningRate: inTraining(
      rate.default(defaults.minimumLearningRate),
      'learning rate at the end of the half-cosine schedule',
    ),
    weightDecay: inTraining(rate.default(0.05), 'AdamW weight decay; not applied to biases and norms'),
    beta1: inTraining(momentDecay.default(0.9), 'AdamW decay rate of the first moment'),
    beta2: inTraining(momentDecay.default(defaults.beta2), 'AdamW decay rate of the second moment'),
    clipGradient: inTraining(rate.default(0), 'maximum global gradient norm; 0 disables clipping'),
    flip: inTraining(z.boolean().default(true), 'flip images horizontally at random'),
    shift: inTraining(z.int().nonnegative().default(1), 'maximum random shift of an image, in pixels'),
    precision: inTraining(
      z.enum(['f32', 'f16']).default('f32'),
      'precision of activations in training; f16 halves their memory and requires shader-f16',
    ),
    checkpointActivations: inTraining(
      z.boolean().default(false),
      'keep one tensor per block and recompute the rest in the backward pass: less memory, about a third more work',
      { compared },
    ),
  }
}

export const pretrainSettings = z.strictObject({
  ...encoder,
  decoderWidth: size('decoder width'),
  decoderDepth: size('number of decoder blocks'),
  decoderHeads: size('number of attention heads in the decoder'),
  maskRatio: inModel(z.number().min(0).lt(1).default(0.75), 'fraction of patches that are masked'),
  normPix: inModel(z.boolean().default(true), 'normalize each target patch by its own mean and variance'),
  ...optimization({ batchSize: 64, baseLearningRate: 8e-3, minimumLearningRate: 0, beta2: 0.95 }),
})

export const fineTuneSettings = z.strictObject({
  aus: inData(
    z
      .array(z.int().positive())
      .min(1)
      .refine((aus) => new Set(aus).size === aus.length, 'expected each AU once')
      .optional(),
    'AUs to predict, in output order, such as 1,2,12 (default: those of the data set)',
    { compared },
  ),
  folds: inData(count.default(3), 'number of folds, if the data has no folds.json', { compared }),
  testFold: inData(foldName.optional(), 'held-out fold to test on (default: the last)'),
  trainOn: inData(
    z.array(foldName).min(1).optional(),
    'comma-separated folds to train on (default: all but the test fold)',
    { compared },
  ),
  seenFraction: inData(
    z.number().min(0).lt(1).default(0),
    "fraction of each training subject's images to hold out and evaluate on",
  ),
  ...encoder,
  dropPath: inModel(
    z.number().min(0).lt(1).default(0),
    'drop-path rate of the last block; decreases linearly to 0 in the first',
  ),
  lambda: inIat(rate.default(0), 'strength λ of the gradient reversal; 0 trains without an identity head'),
  idLoss: inIat(
    z.enum(['bce', 'softmax']).default('bce'),
    'loss of the identity head: binary cross-entropy on the one-hot subject, or softmax cross-entropy',
  ),
  idHeadLayers: inIat(
    z.union([z.literal(1), z.literal(2), z.literal(3)], 'expected 1, 2 or 3').default(1),
    'number of linear layers in the identity head, 1 to 3',
  ),
  idHeadInit: inIat(
    z.enum(['default', 'baseRate']).default('baseRate'),
    'initialization of the identity head: "default" is that of the reference, "baseRate" first predicts 1/subjects',
  ),
  idHeadLearningRateScale: inIat(rate.default(1), 'learning-rate factor of the identity head'),
  ...optimization({ batchSize: 16, baseLearningRate: 3.2e-2, minimumLearningRate: 1e-6, beta2: 0.999 }),
  layerDecay: inTraining(
    z.number().min(0).max(1).default(1),
    'learning-rate factor per layer below the head; 1 disables it',
  ),
})

export type PretrainSettings = z.output<typeof pretrainSettings>
export type FineTuneSettings = z.output<typeof fineTuneSettings>

/** Settings completed by their defaults. @throws ZodError that names an unknown or wrong field. */
export function pretrainDefaults(changes: Partial<PretrainSettings> = {}): PretrainSettings {
  return pretrainSettings.parse(changes)
}

/** Settings completed by their defaults. @throws ZodError that names an unknown or wrong field. */
export function fineTuneDefaults(changes: Partial<FineTuneSettings> = {}): FineTuneSettings {
  return fineTuneSettings.parse(changes)
}

/** The help text of a field. */
export function helpOf<S extends z.ZodObject>(schema: S, name: keyof S['shape'] & string): string {
  return (schema.shape[name].meta() as FieldNotes | undefined)?.description ?? ''
}

/** Names of the fields in which two halves of a resumed run must agree. */
export function comparedFields(schema: z.ZodObject): string[] {
  const notes = (name: string) => schema.shape[name].meta() as Partial<FieldNotes> | undefined
  return Object.keys(schema.shape).filter((name) => notes(name)?.compared !== false)
}

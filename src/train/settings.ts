/**
 * What a training run is: one schema for pretraining and one for fine-tuning. Everything else derives from them: flags and their help
 * texts, `--config` files, the page's forms, the settings in a checkpoint, and the library's types.
 *
 * To add a setting, add one field here and use it. Its default must leave runs as they were: a checkpoint from before the field
 * existed resumes with the default.
 */
import * as z from 'zod'
import { standardisations } from '../data/standardise.js'
import { type PresetName, presets } from '../model/presets.js'

/** Headings of `--help`. */
export type SettingGroup = 'Data' | 'Model' | 'Training' | 'Identity adversarial training (IAT)' | 'Run'

/** What a field says of itself beside its type and its default. */
export interface FieldNotes {
  readonly group: SettingGroup
  /** One line for `--help`. */
  readonly description: string
  /**
   * False where two halves of a resumed run may differ: the field does not change the numbers, or its effect is compared
   * itself (model sizes as the model's configuration, the choice of images as a digest).
   */
  readonly compared?: false
}

/** Attaches the notes to a field. */
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

const size = (what: string) => inModel(count.optional(), `${what} (default: the preset's)`, { compared })

const encoder = {
  preset: inModel(z.enum(presetNames).default('nano'), 'model size; the options below change it', {
    compared,
  }),
  imageSize: size('side of the input in pixels'),
  patchSize: size('side of a patch in pixels'),
  width: size('encoder width'),
  depth: size('encoder blocks'),
  heads: size('encoder attention heads'),
}

interface OptimizationDefaults {
  readonly batchSize: number
  readonly baseLearningRate: number
  readonly minimumLearningRate: number
  readonly beta2: number
}

/** Defaults are those of the `nano` model on faces of 64 px; recipes.ts has the published ones. */
function optimization(defaults: OptimizationDefaults) {
  return {
    seed: inTraining(
      z.int().nonnegative().max(0xffffffff).default(0),
      'seed of weights, order, augmentation, masks and drop path',
    ),
    standardise: inTraining(
      z.enum(standardisations).default('highpass'),
      'input: ImageNet mean and deviation, or high-pass filtered per image',
    ),
    batchSize: inTraining(count.default(defaults.batchSize), 'images in a batch'),
    accumulation: inTraining(count.default(1), 'batches whose gradients add up to one step'),
    epochs: inTraining(count.default(8), 'passes over the training images'),
    warmupEpochs: inTraining(rate.default(0.8), 'epochs of linear warm-up; may be a fraction'),
    baseLearningRate: inTraining(
      rate.default(defaults.baseLearningRate),
      'learning rate for 256 images a step; scales with batch size times accumulation',
    ),
    minimumLearningRate: inTraining(
      rate.default(defaults.minimumLearningRate),
      'learning rate at the end of the half cosine',
    ),
    weightDecay: inTraining(rate.default(0.05), 'AdamW weight decay; biases and norms have none'),
    beta1: inTraining(momentDecay.default(0.9), 'AdamW first-moment decay'),
    beta2: inTraining(momentDecay.default(defaults.beta2), 'AdamW second-moment decay'),
    clipGradient: inTraining(rate.default(0), 'largest global gradient norm; 0 turns clipping off'),
    flip: inTraining(z.boolean().default(true), 'mirror half of the images'),
    shift: inTraining(z.int().nonnegative().default(1), 'largest random shift of an image in pixels'),
    precision: inTraining(
      z.enum(['f32', 'f16']).default('f32'),
      'type of activations; f16 halves their memory and needs an adapter with shader-f16',
    ),
    checkpointActivations: inTraining(
      z.boolean().default(false),
      'keep one tensor per block and recompute the rest in backward: less memory, a third more work',
      { compared },
    ),
  }
}

export const pretrainSettings = z.strictObject({
  ...encoder,
  decoderWidth: size('decoder width'),
  decoderDepth: size('decoder blocks'),
  decoderHeads: size('decoder attention heads'),
  maskRatio: inModel(z.number().min(0).lt(1).default(0.75), 'share of the patches hidden'),
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
    'AU numbers to predict, such as 1,2,12, in output order (default: those of the data set)',
    { compared },
  ),
  folds: inData(count.default(3), 'number of folds to make where the data has no folds.json', { compared }),
  testFold: inData(
    foldName.optional(),
    'fold to test on; its subjects are never trained on (default: the last)',
  ),
  trainOn: inData(
    z.array(foldName).min(1).optional(),
    'folds to train on, separated by commas (default: all but the test fold)',
    { compared },
  ),
  seenFraction: inData(
    z.number().min(0).lt(1).default(0),
    "share of each training subject's images held out, to measure seen subjects too",
  ),
  ...encoder,
  dropPath: inModel(
    z.number().min(0).lt(1).default(0),
    'probability of skipping a branch of the last block; lower in earlier blocks',
  ),
  lambda: inIat(rate.default(0), 'strength of the gradient reversal; 0 trains without an identity head'),
  idLoss: inIat(
    z.enum(['bce', 'softmax']).default('bce'),
    'identity loss: binary cross-entropy on the one-hot subject, or softmax cross-entropy',
  ),
  idHeadLayers: inIat(
    z.union([z.literal(1), z.literal(2), z.literal(3)]).default(1),
    'linear layers of the identity head, 1 to 3',
  ),
  idHeadInit: inIat(
    z.enum(['default', 'baseRate']).default('baseRate'),
    'identity head: initialized as in the reference, or at the base rate 1/subjects',
  ),
  idHeadLearningRateScale: inIat(rate.default(1), "factor on the identity head's learning rate"),
  ...optimization({ batchSize: 16, baseLearningRate: 3.2e-2, minimumLearningRate: 1e-6, beta2: 0.999 }),
  layerDecay: inTraining(
    z.number().min(0).max(1).default(1),
    'factor on the learning rate for each layer further from the head; 1 for none',
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

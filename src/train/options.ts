import * as z from 'zod'
import { standardisations } from '../data/standardise.js'
import { type PresetName, presets } from '../model/presets.js'

const presetNames = Object.keys(presets) as [PresetName, ...PresetName[]]
const count = z.int().positive()
const rate = z.number().nonnegative()
const fraction = z.number().min(0).max(1)
const momentDecay = z.number().min(0).lt(1)
const names = z.array(z.string()).min(1).optional()

const maxMinutes = z
  .number()
  .positive()
  .optional()
  .describe('minutes after which the run has stopped and saved; --resume goes on (default: no limit)')

const precision = z
  .enum(['f32', 'f16'])
  .default('f32')
  .describe('numbers of activations in training; f16 halves their memory, an adapter needs shader-f16 for it')

/** What every training command takes. Descriptions become the `--help` texts; one schema checks flags and files. */
const dataOptions = {
  data: z
    .string()
    .describe(
      'pictures: a folder of them, a WebDataset shard (.tar, .tar.gz) or folder of shards, or a label file .jsonl; required',
    ),
  root: z
    .string()
    .optional()
    .describe('label files: folder that img_path starts from (default: where the file stands)'),
  subjectFrom: z
    .string()
    .optional()
    .describe(
      'label files without "subject": how img_path names the person: bp4d, bp4dplus, disfa, or a regular expression whose first group is the name',
    ),
  out: z.string().describe('folder for checkpoint.safetensors and log.jsonl (made if absent); required'),
  standardise: z
    .enum(standardisations)
    .describe('input: ImageNet mean and deviation, or high-pass filtered per picture'),
  cacheMegabytes: count.default(1024).describe('MB of memory for decoded pictures'),
  seed: z
    .int()
    .nonnegative()
    .max(0xffffffff)
    .default(0)
    .describe('seed of weights, order, masks and drop paths'),
  resume: z
    .boolean()
    .default(false)
    .describe('go on from the checkpoint in --out; all other settings as before'),
  debug: z
    .boolean()
    .default(false)
    .describe('scan every result for NaN and infinity and name the first (slow)'),
  tune: z
    .boolean()
    .default(true)
    .describe('measuring which kernels are the fastest on this adapter; a fixed table chooses them'),
}

const optimisation = {
  batchSize: count.describe('pictures of a batch'),
  accumulation: count.default(1).describe('batches whose gradients are added up to one step'),
  epochs: count.describe('passes over the training pictures'),
  warmupEpochs: z.number().nonnegative().describe('epochs of linear warm-up; may be a fraction'),
  baseLearningRate: rate.describe(
    'learning rate for 256 pictures a step; scaled to batch size times accumulation',
  ),
  minimumLearningRate: rate.describe('learning rate at the end of the half-cosine'),
  weightDecay: rate.default(0.05).describe('AdamW weight decay; biases and norms have none'),
  beta1: momentDecay.default(0.9).describe('AdamW first-moment decay'),
  beta2: momentDecay.describe('AdamW second-moment decay'),
  clipGradient: rate.default(0).describe('largest global gradient norm; 0 clips nothing'),
  flip: z.boolean().default(true).describe('mirroring half of the pictures'),
  shift: z.int().nonnegative().describe('largest random shift of a picture in pixels'),
  checkpointEvery: count.default(1).describe('epochs between checkpoints'),
  keep: count.default(2).describe('last checkpoints to keep; the best one is kept besides'),
  maxMinutes,
  precision,
  checkpointActivations: z
    .boolean()
    .default(false)
    .describe(
      'keep one tensor a block and compute the rest again in backward: less memory, a third more work',
    ),
  memoryReport: z.boolean().default(false).describe('print what the run will take of device memory'),
}

const architecture = {
  preset: z.enum(presetNames).default('nano').describe('model size, which the options below change'),
  imageSize: count.optional().describe('side of the input in pixels (default: the preset)'),
  patchSize: count.optional().describe('side of a patch in pixels (default: the preset)'),
  width: count.optional().describe('encoder width (default: the preset)'),
  depth: count.optional().describe('encoder blocks (default: the preset)'),
  heads: count.optional().describe('encoder attention heads (default: the preset)'),
}

export const pretrainSchema = z.strictObject({
  ...dataOptions,
  split: names.describe('WebDataset splits to train on, separated by commas (default: all)'),
  ...architecture,
  decoderWidth: count.optional().describe('decoder width (default: the preset)'),
  decoderDepth: count.optional().describe('decoder blocks (default: the preset)'),
  decoderHeads: count.optional().describe('decoder attention heads (default: the preset)'),
  maskRatio: z.number().min(0).lt(1).default(0.75).describe('share of the patches hidden'),
  normPix: z.boolean().default(true).describe('predicting patches normalised by their own mean and variance'),
  ...optimisation,
})

const foldOptions = {
  aus: z
    .array(z.int().positive())
    .min(1)
    .refine((aus) => new Set(aus).size === aus.length, 'expected each AU once')
    .optional()
    .describe('AU numbers to predict, such as 1,2,12, in output order (default: those of the data set)'),
  folds: count.default(3).describe('folds to deal the people out to where the data has no folds.json'),
  testFold: z
    .string()
    .optional()
    .describe('fold whose people are tested on and never trained on (default: the last)'),
  trainOn: names.describe('folds to train on, separated by commas (default: all but the test fold)'),
}

export const fineTuneSchema = z.strictObject({
  ...dataOptions,
  ...foldOptions,
  ...architecture,
  from: z
    .string()
    .optional()
    .describe('checkpoint to start from, of pretrain or finetune (default: from scratch)'),
  lambda: rate.default(0).describe('lambda: strength of the gradient reversal; 0 trains without identity'),
  idLoss: z
    .enum(['bce', 'softmax'])
    .default('bce')
    .describe('identity loss: binary cross-entropy on the one-hot person, or softmax cross-entropy'),
  idHeadLayers: z
    .union([z.literal(1), z.literal(2), z.literal(3)])
    .default(1)
    .describe('linear layers of the identity head, 1 to 3'),
  idHeadInit: z
    .enum(['default', 'baseRate'])
    .default('default')
    .describe('identity head: drawn as in the reference, or starting at the base rate 1/people'),
  idHeadLearningRateScale: rate.default(1).describe("factor on the identity head's learning rate"),
  layerDecay: fraction
    .default(0.65)
    .describe('factor on the learning rate for each layer further from the head; 1 for none'),
  dropPath: z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe('chance that a branch of the last block is skipped; less in earlier blocks'),
  seenFraction: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe("share of each training person's pictures kept out of training"),
  evaluateEvery: count.default(1).describe('epochs between evaluations on the test fold'),
  ...optimisation,
})

export const evaluateSchema = z.strictObject({
  checkpoint: z.string().describe('checkpoint.safetensors of finetune; required'),
  data: dataOptions.data,
  root: dataOptions.root,
  subjectFrom: dataOptions.subjectFrom,
  testFold: z
    .string()
    .optional()
    .describe('fold to evaluate on (default: all pictures, those trained on included)'),
  batchSize: count.default(64).describe('pictures of a batch'),
  json: z.string().optional().describe('file to write the result to, as JSON'),
  cacheMegabytes: dataOptions.cacheMegabytes,
})

export const probeSchema = z.strictObject({
  checkpoint: z
    .string()
    .describe('checkpoint.safetensors of pretrain or finetune whose features are probed; required'),
  data: dataOptions.data,
  root: dataOptions.root,
  subjectFrom: dataOptions.subjectFrom,
  split: names.describe('WebDataset splits to use, separated by commas (default: all)'),
  batchSize: count.default(64).describe('pictures of a batch'),
  seed: dataOptions.seed.describe('seed of the split into pictures to fit and to score'),
  json: z.string().optional().describe('file to write the result to, as JSON'),
  cacheMegabytes: dataOptions.cacheMegabytes,
})

export const quickstartSchema = z.strictObject({
  budget: z
    .enum(['tiny', 'brief', 'short', 'long'])
    .optional()
    .describe(
      'tiny: proves only that it runs; short: minutes on two CPU cores; long: two to three times as long (default: short, on SwiftShader brief)',
    ),
  seed: dataOptions.seed,
  out: z.string().optional().describe('folder of the run (default: runs/<budget>-seed<seed>)'),
  lambda: z.number().positive().optional().describe('strength of IAT (default: that of the budget)'),
  testFold: z
    .enum(['fold2', 'fold3'])
    .default('fold3')
    .describe('people to test on; fold2 is for choosing settings and trains on fold1 alone'),
  precision,
  resume: z.boolean().default(false).describe('go on with the run in --out'),
  tune: dataOptions.tune,
  maxMinutes,
})

/** Titles of `--help`, and the options that stand below each. */
export const optionGroups = {
  'Data and run:': Object.keys({ ...dataOptions, ...foldOptions, split: null, checkpoint: null, json: null }),
  'Identity adversarial training (IAT):': Object.keys(fineTuneSchema.shape).filter((name) =>
    /^lambda$|^id[A-Z]/.test(name),
  ),
  'Model:': [
    'from',
    ...Object.keys(architecture),
    'decoderWidth',
    'decoderDepth',
    'decoderHeads',
    'dropPath',
  ],
  'Training:': [...Object.keys(optimisation), 'maskRatio', 'normPix', 'layerDecay', 'evaluateEvery'],
}

export type QuickstartOptions = z.output<typeof quickstartSchema>
export type PretrainOptions = z.output<typeof pretrainSchema>
export type FineTuneOptions = z.output<typeof fineTuneSchema>
export type EvaluateOptions = z.output<typeof evaluateSchema>
export type ProbeOptions = z.output<typeof probeSchema>

/** A recipe completed by the schema's defaults, as a run takes it. */
export function pretrainDefaults(recipe: Partial<PretrainOptions>): PretrainOptions {
  return pretrainSchema.parse({ data: '', out: '', ...recipe })
}

export function fineTuneDefaults(recipe: Partial<FineTuneOptions>): FineTuneOptions {
  return fineTuneSchema.parse({ data: '', out: '', ...recipe })
}

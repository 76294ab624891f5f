import { z } from 'zod'
import { type PresetName, presets } from '../model/presets.js'
import { standardisations } from './data/standardise.js'

const presetNames = Object.keys(presets) as [PresetName, ...PresetName[]]
const count = z.int().positive()
const rate = z.number().nonnegative()
const fraction = z.number().min(0).max(1)

/** What every training command takes. Descriptions become the `--help` texts; one schema checks flags and files. */
const dataOptions = {
  data: z.string().describe('pictures: folder, WebDataset shard or folder of shards, or labels .jsonl'),
  root: z
    .string()
    .optional()
    .describe('folder that img_path in a .jsonl starts from (default: the folder of the file)'),
  subjectFrom: z
    .string()
    .optional()
    .describe(
      'how img_path names the person where labels have no subject: bp4d, bp4dplus, disfa or a regular expression',
    ),
  out: z.string().describe('folder for checkpoints and log (made if absent)'),
  standardise: z
    .enum(standardisations)
    .describe('input: imagenet mean and deviation, or highpass per picture'),
  cacheMegabytes: count.default(1024).describe('memory for decoded pictures'),
  seed: z
    .int()
    .nonnegative()
    .max(0xffffffff)
    .default(0)
    .describe('seed of weights, order, masks and drop paths'),
  resume: z.boolean().default(false).describe('go on from the last checkpoint in --out'),
  debug: z
    .boolean()
    .default(false)
    .describe('scan every result for NaN and infinity and name the first (slow)'),
}

const optimisation = {
  batchSize: count.describe('pictures of a batch'),
  accumulation: count.default(1).describe('batches whose gradients make one step'),
  epochs: count.describe('passes over the training pictures'),
  warmupEpochs: z.number().nonnegative().describe('epochs of linear warm-up; may be a fraction'),
  baseLearningRate: rate.describe('learning rate per 256 pictures of a step (linear scaling)'),
  minimumLearningRate: rate.describe('where the half-cosine ends'),
  weightDecay: rate.default(0.05).describe('AdamW weight decay; none for biases and norms'),
  beta1: fraction.default(0.9).describe('AdamW first-moment decay'),
  beta2: fraction.describe('AdamW second-moment decay'),
  clipGradient: rate.default(0).describe('largest global gradient norm; 0 clips nothing'),
  flip: z.boolean().default(true).describe('mirror half of the pictures'),
  shift: z.int().nonnegative().describe('largest random shift in pixels'),
  checkpointEvery: count.default(1).describe('epochs between checkpoints'),
}

const architecture = {
  preset: z.enum(presetNames).default('nano').describe('model size'),
  imageSize: count.optional().describe('side of the input in pixels (default: the preset)'),
  patchSize: count.optional().describe('side of a patch in pixels (default: the preset)'),
  width: count.optional().describe('encoder width (default: the preset)'),
  depth: count.optional().describe('encoder blocks (default: the preset)'),
  heads: count.optional().describe('encoder attention heads (default: the preset)'),
}

export const pretrainSchema = z.strictObject({
  ...dataOptions,
  split: z.array(z.string()).optional().describe('WebDataset splits to train on (default: all)'),
  ...architecture,
  decoderWidth: count.optional().describe('decoder width (default: the preset)'),
  decoderDepth: count.optional().describe('decoder blocks (default: the preset)'),
  decoderHeads: count.optional().describe('decoder attention heads (default: the preset)'),
  maskRatio: fraction.default(0.75).describe('share of patches removed'),
  normPix: z.boolean().default(true).describe('predict patches normalised by their own mean and variance'),
  ...optimisation,
})

const foldOptions = {
  aus: z
    .array(z.int().positive())
    .optional()
    .describe('AUs to predict, in output order (default: those of the data set)'),
  folds: count.default(3).describe('subject-exclusive folds to make where the data has no folds.json'),
  testFold: z
    .string()
    .optional()
    .describe('fold to test on (default: the last); no training picture of its people is used'),
  trainOn: z.array(z.string()).optional().describe('folds to train on (default: all but the test fold)'),
}

export const finetuneSchema = z.strictObject({
  ...dataOptions,
  ...foldOptions,
  ...architecture,
  from: z
    .string()
    .optional()
    .describe('checkpoint to start from (FMAE or classifier); default: from scratch'),
  lambda: rate.default(0).describe('strength of gradient reversal; 0 builds no identity head'),
  idLoss: z
    .enum(['bce', 'softmax'])
    .default('bce')
    .describe('identity loss: BCE on the one-hot subject, or softmax'),
  idHeadLayers: z
    .union([z.literal(1), z.literal(2), z.literal(3)])
    .default(1)
    .describe('linear layers of the identity head'),
  idHeadInit: z
    .enum(['default', 'baseRate'])
    .default('default')
    .describe('identity bias: uniform as in the reference, or -ln(subjects-1) with small weights'),
  idHeadLearningRateScale: rate.default(1).describe("factor on the identity head's learning rate"),
  layerDecay: fraction
    .default(0.65)
    .describe('factor on the learning rate per layer below the head; 1 for none'),
  dropPath: z.number().min(0).lt(1).default(0.1).describe('drop-path rate of the last block'),
  seenFraction: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('share of the training people\'s pictures held out to measure "seen" people'),
  evaluateEvery: count.default(1).describe('epochs between evaluations on the test fold'),
  ...optimisation,
})

export const evaluateSchema = z.strictObject({
  checkpoint: z.string().describe('classifier checkpoint of finetune'),
  data: dataOptions.data,
  root: dataOptions.root,
  subjectFrom: dataOptions.subjectFrom,
  folds: foldOptions.folds,
  testFold: z.string().optional().describe('fold to evaluate on (default: all pictures)'),
  batchSize: count.default(64).describe('pictures of a batch'),
  json: z.string().optional().describe('file for the result as JSON'),
  cacheMegabytes: dataOptions.cacheMegabytes,
})

export const probeSchema = z.strictObject({
  checkpoint: z.string().describe('checkpoint of pretrain or finetune whose features are probed'),
  data: dataOptions.data,
  root: dataOptions.root,
  subjectFrom: dataOptions.subjectFrom,
  split: z.array(z.string()).optional().describe('WebDataset splits to use (default: all)'),
  batchSize: count.default(64).describe('pictures of a batch'),
  seed: dataOptions.seed,
  json: z.string().optional().describe('file for the result as JSON'),
  cacheMegabytes: dataOptions.cacheMegabytes,
})

export const quickstartSchema = z.strictObject({
  budget: z.enum(['short', 'long']).default('short').describe('minutes, or up to an hour on two CPU cores'),
  seed: dataOptions.seed,
  out: z.string().optional().describe('folder of the run (default: runs/<budget>-seed<seed>)'),
  lambda: z.number().positive().optional().describe('strength of IAT (default: the budget)'),
  testFold: z
    .enum(['fold2', 'fold3'])
    .default('fold3')
    .describe('people to test on: fold3, or fold2 for choosing settings (then fold1 alone is trained on)'),
  resume: z.boolean().default(false).describe('go on with the run in --out'),
})

export type QuickstartOptions = z.output<typeof quickstartSchema>
export type PretrainOptions = z.output<typeof pretrainSchema>
export type FinetuneOptions = z.output<typeof finetuneSchema>
export type EvaluateOptions = z.output<typeof evaluateSchema>
export type ProbeOptions = z.output<typeof probeSchema>

/** A recipe completed by the schema's defaults, as a run takes it. */
export function pretrainDefaults(recipe: Partial<PretrainOptions>): PretrainOptions {
  return pretrainSchema.parse({ data: '', out: '', ...recipe })
}

export function fineTuneDefaults(recipe: Partial<FinetuneOptions>): FinetuneOptions {
  return finetuneSchema.parse({ data: '', out: '', ...recipe })
}

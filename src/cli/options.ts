/** The options of each command: the settings of a run (train/settings.ts), and those that only the command line has. */
import * as z from 'zod'
import { readable } from '../data/readers/table.js'
import { standardisations } from '../data/standardise.js'
import { crops } from '../face/crop.js'
import { type FormatName, formats } from '../predict/table.js'
import { type FieldNotes, field, fineTuneSettings, pretrainSettings } from '../train/settings.js'

const count = z.int().positive()
const names = z.array(z.string().min(1)).min(1).optional()
const path = z.string('expected a path').min(1, 'expected a path')

const inData = <S extends z.ZodType>(schema: S, description: string) =>
  field(schema, { group: 'Data', description } satisfies FieldNotes)
const inRun = <S extends z.ZodType>(schema: S, description: string) =>
  field(schema, { group: 'Run', description } satisfies FieldNotes)

/** Where images and labels come from. */
const source = {
  data: inData(path, `images: ${readable} of images or WebDataset shards; required`),
  root: inData(
    path.optional(),
    'for label files: folder that img_path is relative to (default: the folder of the label file)',
  ),
  subjectFrom: inData(
    z.string().min(1).optional(),
    'for label files without "subject": how to read the subject from img_path: bp4d, bp4dplus, disfa, or a regular expression whose first group is the subject',
  ),
  badImages: inData(
    z.enum(['stop', 'skip']).default('stop'),
    'what to do with unreadable images: stop, or skip and list them',
  ),
  allowOutside: inData(z.boolean().default(false), 'allow paths and links that lead outside the data folder'),
}
const cacheMegabytes = inRun(count.default(1024), 'memory for decoded images, in MB')
const split = inData(names, 'comma-separated WebDataset splits to use (default: all)')

const maxMinutes = inRun(
  z.number().positive().optional(),
  'time limit in minutes: the run saves and stops before it; --resume continues (default: no limit)',
)

const training = {
  out: inRun(path, 'folder for checkpoint.safetensors and log.jsonl (created if missing); required'),
  cacheMegabytes,
  resume: inRun(z.boolean().default(false), 'resume from the checkpoint in --out, with the same settings'),
  checkpointEvery: inRun(count.default(1), 'epochs between checkpoints'),
  keep: inRun(count.default(2), 'number of recent checkpoints to keep; the best one is always kept'),
  maxMinutes,
  memoryReport: inRun(z.boolean().default(false), 'print the device memory that the run needs'),
  tune: inRun(z.boolean().default(true), 'autotune kernels for this adapter; use the fixed table'),
  debug: inRun(
    z.boolean().default(false),
    'check every result for NaN and infinity, and report the first (slow)',
  ),
}

export const pretrainOptions = z.strictObject({ ...source, split, ...pretrainSettings.shape, ...training })

export const fineTuneOptions = z.strictObject({
  ...source,
  from: inData(
    path.optional(),
    'checkpoint from pretrain or finetune to start from (default: random initialization)',
  ),
  ...fineTuneSettings.shape,
  ...training,
  evaluateEvery: inRun(count.default(1), 'epochs between evaluations on the test fold'),
})

/** For commands that measure a checkpoint. */
const measuring = {
  batchSize: inRun(count.default(64), 'images per batch'),
  json: inRun(path.optional(), 'JSON file to write the result to'),
  crop: inData(z.enum(crops).optional(), 'how to cut faces out of the images (default: as in training)'),
  cacheMegabytes,
}

export const evaluateOptions = z.strictObject({
  checkpoint: inData(path, 'checkpoint.safetensors from finetune; required'),
  ...source,
  testFold: inData(
    z.string().min(1).optional(),
    'fold to evaluate on (default: all images, training images included)',
  ),
  ...measuring,
})

export const probeOptions = z.strictObject({
  checkpoint: inData(path, 'checkpoint.safetensors from pretrain or finetune; required'),
  ...source,
  split,
  seed: inRun(fineTuneSettings.shape.seed, 'seed of the split into fitting and scoring images'),
  ...measuring,
})

const inModel = <S extends z.ZodType>(schema: S, description: string) =>
  field(schema, { group: 'Model', description } satisfies FieldNotes)

export const convertOptions = z.strictObject({
  encoderOnly: inModel(z.boolean().default(false), 'leave out heads and decoder'),
  imageSize: inModel(
    count.optional(),
    'image size of the result; position embeddings are interpolated (default: that of the file)',
  ),
  heads: inModel(count.optional(), 'attention heads of the encoder, if the file does not say them'),
  decoderHeads: inModel(count.optional(), 'attention heads of the decoder, if the file does not say them'),
  layerNormEps: inModel(
    z.number().positive().optional(),
    'epsilon of layer norms (default: from the file or its layout)',
  ),
  standardise: inModel(
    z.enum(standardisations).optional(),
    'input normalization of the model (default: imagenet, unless the file says otherwise)',
  ),
  aus: inModel(fineTuneSettings.shape.aus, 'AUs of the outputs, in their order; required for a classifier'),
  lambda: inModel(z.number().positive().optional(), 'strength λ with which its identity head was trained'),
  crop: inModel(
    z.enum(crops).optional(),
    'how the faces of its training images were cropped; predict uses it',
  ),
  thresholds: inModel(
    z.array(z.number().min(0).max(1)).min(1).optional(),
    'probability from which each AU is present, one for each AU; predict uses them',
  ),
  to: inRun(
    z.enum(['f32', 'f16', 'hf', 'timm']).default('f32'),
    'f32 and f16 write a checkpoint of this program in that precision; hf and timm write a folder for these libraries',
  ),
})

const formatNames = Object.keys(formats) as [FormatName, ...FormatName[]]

export const predictOptions = z.strictObject({
  checkpoint: inData(path, 'classifier to use: a checkpoint from finetune or convert; required'),
  out: inData(path, 'file to write, or a folder for it; required'),
  format: inData(
    z.enum(formatNames).default('csv'),
    'columns of this program as CSV, those of OpenFace or py-feat as CSV, or JSON lines',
  ),
  crop: inData(
    z.enum(crops).optional(),
    'how to cut faces out: none reads the whole image, found takes the detected box, aligned turns the face upright (default: as in training, if the checkpoint says)',
  ),
  features: inData(
    path.optional(),
    'safetensors file to write the features of the faces to; a CSV file beside it lists them',
  ),
  strict: inRun(z.boolean().default(false), 'exit with code 1 if an image cannot be read'),
  root: source.root,
  allowOutside: source.allowOutside,
  batchSize: inRun(count.default(32), 'faces per forward pass'),
  threads: inRun(count.optional(), 'threads that find faces (default: the number of cores)'),
})

export const quickstartOptions = z.strictObject({
  budget: inRun(
    z.enum(['tiny', 'brief', 'short', 'long']).optional(),
    'size of the run: tiny only checks that everything works, short takes minutes on two CPU cores, brief is shorter, long takes two to three times as long (default: short; brief on SwiftShader)',
  ),
  out: inRun(path.optional(), 'folder of the run (default: runs/<budget>-seed<seed>)'),
  testFold: inData(
    z.enum(['fold2', 'fold3']).default('fold3'),
    'held-out fold; use fold2 to choose settings (it trains on fold1 only)',
  ),
  lambda: field(z.number().positive().optional(), {
    group: 'Identity adversarial training (IAT)',
    description: 'strength λ of the gradient reversal (default: from the budget)',
  }),
  seed: fineTuneSettings.shape.seed,
  precision: fineTuneSettings.shape.precision,
  resume: inRun(z.boolean().default(false), 'resume the run in --out'),
  tune: training.tune,
  maxMinutes,
})

export type PretrainOptions = z.output<typeof pretrainOptions>
export type FineTuneOptions = z.output<typeof fineTuneOptions>
export type EvaluateOptions = z.output<typeof evaluateOptions>
export type ProbeOptions = z.output<typeof probeOptions>
export type PredictOptions = z.output<typeof predictOptions>
export type QuickstartOptions = z.output<typeof quickstartOptions>

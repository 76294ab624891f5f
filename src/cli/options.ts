/** What each command takes: the settings of a run (train/settings.ts), and what only the command line has. */
import * as z from 'zod'
import { type FieldNotes, field, fineTuneSettings, pretrainSettings } from '../train/settings.js'

const count = z.int().positive()
const names = z.array(z.string().min(1)).min(1).optional()
const path = z.string().min(1, 'expected a path')

const inData = <S extends z.ZodType>(schema: S, description: string) =>
  field(schema, { group: 'Data', description } satisfies FieldNotes)
const inRun = <S extends z.ZodType>(schema: S, description: string) =>
  field(schema, { group: 'Run', description } satisfies FieldNotes)

/** Where images and labels come from. */
const source = {
  data: inData(
    path,
    'images: a folder, a WebDataset shard (.tar, .tar.gz), a folder of shards, or a label file (.jsonl); required',
  ),
  root: inData(
    path.optional(),
    'label files: folder that img_path starts from (default: the folder of the label file)',
  ),
  subjectFrom: inData(
    z.string().min(1).optional(),
    'label files without "subject": how img_path names the subject: bp4d, bp4dplus, disfa, or a regular expression whose first group is the name',
  ),
  badImages: inData(
    z.enum(['stop', 'skip']).default('stop'),
    'images that cannot be read: stop, or skip and list them',
  ),
  allowOutside: inData(
    z.boolean().default(false),
    'follow paths and links in labels that lead out of their folder',
  ),
}
const cacheMegabytes = inRun(count.default(1024), 'memory for decoded images, in MB')
const split = inData(names, 'WebDataset splits to use, separated by commas (default: all)')

const maxMinutes = inRun(
  z.number().positive().optional(),
  'minutes after which the run has stopped and saved; --resume continues it (default: no limit)',
)

const training = {
  out: inRun(path, 'folder for checkpoint.safetensors and log.jsonl, made if absent; required'),
  cacheMegabytes,
  resume: inRun(z.boolean().default(false), 'continue from the checkpoint in --out, with the same settings'),
  checkpointEvery: inRun(count.default(1), 'epochs between checkpoints'),
  keep: inRun(count.default(2), 'last checkpoints to keep; the best one is kept as well'),
  maxMinutes,
  memoryReport: inRun(z.boolean().default(false), 'print how much device memory the run takes'),
  tune: inRun(
    z.boolean().default(true),
    'measure which kernels are fastest on this adapter; a fixed table chooses instead',
  ),
  debug: inRun(
    z.boolean().default(false),
    'scan every result for NaN and infinity and name the first kernel (slow)',
  ),
}

export const pretrainOptions = z.strictObject({ ...source, split, ...pretrainSettings.shape, ...training })

export const fineTuneOptions = z.strictObject({
  ...source,
  from: inData(
    path.optional(),
    'checkpoint of pretrain or finetune to start from (default: random initialization)',
  ),
  ...fineTuneSettings.shape,
  ...training,
  evaluateEvery: inRun(count.default(1), 'epochs between evaluations on the test fold'),
})

/** Commands that measure a checkpoint. */
const measuring = {
  batchSize: inRun(count.default(64), 'images in a batch'),
  json: inRun(path.optional(), 'file to write the result to, as JSON'),
  cacheMegabytes,
}

export const evaluateOptions = z.strictObject({
  checkpoint: inData(path, 'checkpoint.safetensors of finetune; required'),
  ...source,
  testFold: inData(
    z.string().min(1).optional(),
    'fold to evaluate on (default: all images, those trained on included)',
  ),
  ...measuring,
})

export const probeOptions = z.strictObject({
  checkpoint: inData(
    path,
    'checkpoint.safetensors of pretrain or finetune whose features are probed; required',
  ),
  ...source,
  split,
  seed: inRun(fineTuneSettings.shape.seed, 'seed of the split into images to fit and images to score'),
  ...measuring,
})

export const quickstartOptions = z.strictObject({
  budget: inRun(
    z.enum(['tiny', 'brief', 'short', 'long']).optional(),
    'tiny: only shows that everything runs; short: minutes on two CPU cores; long: two to three times as long (default: short; brief on SwiftShader)',
  ),
  out: inRun(path.optional(), 'folder of the run (default: runs/<budget>-seed<seed>)'),
  testFold: inData(
    z.enum(['fold2', 'fold3']).default('fold3'),
    'fold to test on; fold2 is for choosing settings and trains on fold1 alone',
  ),
  lambda: field(z.number().positive().optional(), {
    group: 'Identity adversarial training (IAT)',
    description: 'strength of IAT (default: that of the budget)',
  }),
  seed: fineTuneSettings.shape.seed,
  precision: fineTuneSettings.shape.precision,
  resume: inRun(z.boolean().default(false), 'continue the run in --out'),
  tune: training.tune,
  maxMinutes,
})

export type PretrainOptions = z.output<typeof pretrainOptions>
export type FineTuneOptions = z.output<typeof fineTuneOptions>
export type EvaluateOptions = z.output<typeof evaluateOptions>
export type ProbeOptions = z.output<typeof probeOptions>
export type QuickstartOptions = z.output<typeof quickstartOptions>

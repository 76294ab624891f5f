import { existsSync } from 'node:fs'
import { z } from 'zod'
import { UserError } from '../errors.js'
import type { TrainingRun } from '../loop/trainingRun.js'
import type { SafetensorsFile } from './safetensors.js'
import { readSafetensors, writeSafetensors } from './safetensorsFile.node.js'
import { CHECKPOINT_FORMAT, collectTensors, restoreRun } from './trainingState.js'

/** What a checkpoint says of itself beside the tensors. */
export interface CheckpointInfo {
  /** Model geometry, and for a classifier its outputs. */
  readonly config: object
  /** Options of the run; going on with others is refused. */
  readonly options: object
  /** AU numbers of the outputs, in order; classifiers only. */
  readonly aus?: readonly number[]
  readonly standardise: string
}

/** Saves weights, moments, step, data position and settings, replacing the file as a whole. */
export async function saveCheckpoint(path: string, run: TrainingRun, info: CheckpointInfo): Promise<void> {
  await writeSafetensors(path, await collectTensors(run), {
    format: CHECKPOINT_FORMAT,
    kind: run.kind,
    config: JSON.stringify(info.config),
    options: JSON.stringify(info.options),
    standardise: info.standardise,
    step: String(run.optimizer.stepCount),
    // Both follow from the step; they are written for readers of the file.
    batches: JSON.stringify(run.batches.state),
    random: JSON.stringify({ seed: run.random.seed, stream: run.random.stream }),
    ...(info.aus ? { aus: JSON.stringify(info.aus) } : {}),
  })
}

/** Options that may differ between the two halves of a resumed run. */
const freeOptions = new Set(['out', 'resume', 'debug', 'cacheMegabytes', 'checkpointEvery'])

/** Continues `run` from `path`. Refuses a checkpoint made with other settings, naming the first that differs. */
export async function resumeFrom(path: string, run: TrainingRun, info: CheckpointInfo): Promise<void> {
  if (!existsSync(path)) throw new UserError(`--resume: there is no ${path}; start without --resume`)
  const checkpoint = await readSafetensors(path)
  const { options } = readInfo(checkpoint, path)
  const wanted: Record<string, unknown> = JSON.parse(JSON.stringify(info.options))
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(options)])) {
    if (freeOptions.has(name)) continue
    const [before, now] = [options[name], wanted[name]].map((value) => JSON.stringify(value))
    if (before === now) continue
    throw new UserError(
      `--resume: ${path} was made with ${name} = ${before}; this run has ${now}. They must agree`,
    )
  }
  restoreRun(run, checkpoint, path)
}

const jsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('not JSON')
    return z.NEVER
  }
})
const record = z.record(z.string(), z.unknown())
const infoSchema = z.object({
  format: z.literal(CHECKPOINT_FORMAT),
  kind: z.enum(['fmae', 'iat']),
  config: jsonText.pipe(record),
  options: jsonText.pipe(record),
  standardise: z.enum(['imagenet', 'highpass']),
  aus: jsonText.pipe(z.array(z.int().positive())).optional(),
})

export type ReadInfo = z.output<typeof infoSchema>

/** The metadata of one of our checkpoints, checked. */
export function readInfo({ metadata }: SafetensorsFile, path: string): ReadInfo {
  const parsed = infoSchema.safeParse(metadata)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new UserError(
    `${path}: metadata field ${String(issue?.path[0])}: ${issue?.message}; expected a checkpoint of ours`,
  )
}

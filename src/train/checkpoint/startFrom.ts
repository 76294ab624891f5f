import { UserError } from '../../errors.js'
import type { FineTuning } from '../loop/fineTuning.js'
import { type CheckpointInfo, type ReadInfo, readInfo } from './checkpoint.js'
import type { SafetensorsFile } from './safetensors.js'
import { CHECKPOINT_FORMAT, describeLoad, loadMatching } from './trainingState.js'

/** Weights to start from. */
export interface Start {
  readonly file: SafetensorsFile
  /** Name of the file in messages. */
  readonly path: string
}

type Say = (line: string) => void

/**
 * Loads weights by name, and reports them with `say`. A new AU head starts near zero, as in the reference.
 */
export function startFrom({ file, path }: Start, run: FineTuning, own: CheckpointInfo, say: Say): void {
  // Weights of other programs have no metadata of ours: only names and shapes are checked.
  const ours = file.metadata.format === CHECKPOINT_FORMAT
  const weights = ours ? weightsThatMean({ file, path }, run, own, say) : file
  const report = loadMatching(run.parameters, weights, path)
  if (!report.loaded.some((name) => name.startsWith('blocks.'))) {
    throw new UserError(`${path}: contains no encoder block of this model. ${namesOf(file)}`)
  }
  say(`${path}: ${describeLoad(report)}`)
  if (report.missing.includes('head.weight')) run.resetAuHead()
}

/** The expected names, and the names that were found. */
function namesOf({ tensors }: SafetensorsFile): string {
  const names = [...tensors.keys()]
  const layer = names.find((name) => /\blayers?\.0\./.test(name))
  const found = layer ?? names[0] ?? 'none'
  const origin = layer ? ' (names of Hugging Face transformers, which are not supported yet)' : ''
  return `Expected names such as blocks.0.attn.qkv.weight, found ${found}${origin}`
}

/**
 * The file without heads for other AUs or subjects.
 *
 * @throws UserError if settings that shapes do not show differ
 */
function weightsThatMean(
  { file, path }: Start,
  run: FineTuning,
  own: CheckpointInfo,
  say: Say,
): SafetensorsFile {
  const theirs = readInfo(file, path)
  requireSame(path, 'standardise', theirs.standardise, own.settings.standardise)
  requireSame(path, 'heads', theirs.config.heads, run.config.heads)
  requireSame(path, 'layerNormEps', theirs.config.layerNormEps, run.config.layerNormEps)
  const foreign = foreignHeads(theirs, own)
  const names = [...file.tensors.keys()].filter((name) => foreign.some((head) => name.startsWith(head)))
  if (names.length > 0)
    say(`${path}: not loaded, because they belong to other AUs or subjects: ${names.join(', ')}`)
  return { ...file, tensors: new Map([...file.tensors].filter(([name]) => !names.includes(name))) }
}

function requireSame(path: string, name: string, before: unknown, now: unknown): void {
  if (before === now) return
  throw new UserError(
    `${path}: ${name} is ${before} in the checkpoint and ${now} in this run; they must be equal`,
  )
}

/** Name prefixes of heads for other AUs or subjects. */
function foreignHeads(theirs: ReadInfo, own: CheckpointInfo): string[] {
  if (theirs.kind === 'fmae') return []
  const heads = []
  if (theirs.aus.join() !== own.aus?.join()) heads.push('head.')
  if (theirs.folds === undefined || theirs.folds !== own.folds) heads.push('ID_head')
  return heads
}

import { UserError } from '../../errors.js'
import type { FineTuning } from '../loop/fineTuning.js'
import { type CheckpointInfo, type ReadInfo, readInfo } from './checkpoint.js'
import type { SafetensorsFile } from './safetensors.js'
import { CHECKPOINT_FORMAT, describeLoad, loadMatching } from './trainingState.js'

/** Weights to start from. */
export interface Start {
  readonly file: SafetensorsFile
  /** What messages call the file. */
  readonly path: string
}

type Say = (line: string) => void

/** Weights of another run by name; the AU head starts near zero as in the reference. `say` hears what was taken. */
export function startFrom({ file, path }: Start, run: FineTuning, own: CheckpointInfo, say: Say): void {
  // Weights of another origin say nothing of themselves: names and shapes must do.
  const ours = file.metadata.format === CHECKPOINT_FORMAT
  const weights = ours ? weightsThatMean({ file, path }, run, own, say) : file
  const report = loadMatching(run.parameters, weights, path)
  if (!report.loaded.some((name) => name.startsWith('blocks.'))) {
    throw new UserError(`${path}: none of its tensors is an encoder block of this model. ${namesOf(file)}`)
  }
  say(`${path}: ${describeLoad(report)}`)
  if (report.missing.includes('head.weight')) run.resetAuHead()
}

/** Why no name fits. */
function namesOf({ tensors }: SafetensorsFile): string {
  const names = [...tensors.keys()]
  const layer = names.find((name) => /\blayers?\.0\./.test(name))
  const found = layer ?? names[0] ?? 'none'
  const origin = layer ? ' (as Hugging Face transformers has it; such layouts are not translated yet)' : ''
  return `Expected names such as blocks.0.attn.qkv.weight, found ${found}${origin}`
}

/** The file without heads whose outputs mean something else here. What no shape shows must agree. */
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
    say(`${path}: left out, as its outputs are of other AUs or people: ${names.join(', ')}`)
  return { ...file, tensors: new Map([...file.tensors].filter(([name]) => !names.includes(name))) }
}

function requireSame(path: string, name: string, before: unknown, now: unknown): void {
  if (before === now) return
  throw new UserError(`${path} was made with ${name} = ${before}; this run has ${now}. They must agree`)
}

/** How the names begin of heads that answer for other AUs or people. */
function foreignHeads(theirs: ReadInfo, own: CheckpointInfo): string[] {
  if (theirs.kind === 'fmae') return []
  const heads = []
  if (theirs.aus.join() !== own.aus?.join()) heads.push('head.')
  if (theirs.folds === undefined || theirs.folds !== own.folds) heads.push('ID_head')
  return heads
}

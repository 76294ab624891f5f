import { UserError } from '../../errors.js'
import { patchCount, type VitConfig } from '../../model/config.js'
import { gridOf, interpolatePositions } from '../../model/weights/interpolatePositions.js'
import type { FineTuning } from '../loop/fineTuning.js'
import { type CheckpointInfo, type ReadInfo, readInfo } from './checkpoint.js'
import type { SafetensorsFile } from './safetensors.js'
import { CHECKPOINT_FORMAT, describeLoad, loadMatching, weightsOf } from './trainingState.js'

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
  const report = loadMatching(run.parameters, withPositions(weights, path, run.config, say), path)
  if (!report.loaded.some((name) => name.startsWith('blocks.'))) {
    throw new UserError(`${path}: contains no encoder block of this model. ${namesOf(file)}`)
  }
  say(`${path}: ${describeLoad(report)}`)
  if (report.missing.includes('head.weight')) run.resetAuHead()
}

/** The expected names, and a name that was found. */
function namesOf({ tensors }: SafetensorsFile): string {
  return `Expected names such as blocks.0.attn.qkv.weight, found ${[...tensors.keys()][0] ?? 'none'}`
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

/** Position embeddings of another image size are interpolated. */
function withPositions(file: SafetensorsFile, path: string, config: VitConfig, say: Say): SafetensorsFile {
  const name = 'pos_embed'
  const table = file.tensors.get(name)
  const tokens = table?.shape[1]
  const wanted = 1 + patchCount(config)
  if (!table || tokens === undefined || tokens === wanted || table.shape[2] !== config.width) return file
  const from = gridOf(tokens, name, path)
  const to = gridOf(wanted, name, path)
  say(
    `${path}: position embeddings are interpolated from ${from}×${from} to ${to}×${to} patches (${from * config.patchSize} to ${config.imageSize} px)`,
  )
  const data = interpolatePositions(weightsOf(file.tensors, name, table.shape, path), config.width, from, to)
  return { ...file, tensors: new Map(file.tensors).set(name, { shape: [1, wanted, config.width], data }) }
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

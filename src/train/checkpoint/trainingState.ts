import type { ParameterArena } from '../../engine/parameters.js'
import type { Tensor } from '../../engine/tensor.js'
import { UserError } from '../../errors.js'
import { stepsPerEpoch } from '../loop/trainLoop.js'
import type { TrainingRun } from '../trainingRun.js'
import { assertFinite, type SafeTensor, type SafetensorsFile } from './safetensors.js'

/** Prefixes of AdamW's first and second moments, as PyTorch names them. */
const FIRST_MOMENT = 'exp_avg.'
const SECOND_MOMENT = 'exp_avg_sq.'
/** State of loss scaling; only in checkpoints with mixed precision. */
const LOSS_SCALE = 'loss_scale'

/** Written into every checkpoint; a file without it comes from another program. */
export const CHECKPOINT_FORMAT = 'fmae-webgpu/1'

type Tensors = Map<string, SafeTensor>

/** All parameters by name and, for resuming, the optimizer's moments and loss scale. */
export async function collectTensors(run: TrainingRun): Promise<Tensors> {
  const tensors: Tensors = new Map()
  for (const parameter of run.parameters.parameters) tensors.set(parameter.name, await download(parameter))
  for (const [name, { first, second }] of run.optimizer.moments) {
    tensors.set(FIRST_MOMENT + name, await download(first))
    tensors.set(SECOND_MOMENT + name, await download(second))
  }
  const { lossScale } = run.optimizer
  if (lossScale) tensors.set(LOSS_SCALE, await download(lossScale.state))
  return tensors
}

async function download(tensor: Tensor): Promise<SafeTensor> {
  return { shape: tensor.shape, data: await tensor.read() }
}

/** Restores weights, moments, loss scale and step, so that `trainLoop` continues exactly where it stopped. */
export function restoreRun(run: TrainingRun, { tensors }: SafetensorsFile, file: string, step: number): void {
  const total = run.schedule.epochs * stepsPerEpoch(run.batches, run.settings.accumulation)
  if (step > total)
    throw new UserError(`${file}: metadata field step is ${step}, but this run has only ${total} steps`)
  const upload = (name: string, target: Tensor) => {
    run.runtime.write(target, weightsOf(tensors, name, target.shape, file))
  }
  for (const parameter of run.parameters.parameters) upload(parameter.name, parameter)
  for (const [name, { first, second }] of run.optimizer.moments) {
    upload(FIRST_MOMENT + name, first)
    upload(SECOND_MOMENT + name, second)
  }
  const { lossScale } = run.optimizer
  if (lossScale) upload(LOSS_SCALE, lossScale.state)
  run.optimizer.stepCount = step
}

/**
 * Checks the tensors of a checkpoint: all are floating-point, and no second moment or loss scale is negative.
 */
export function checkStoredTensors(tensors: ReadonlyMap<string, SafeTensor>, file: string): void {
  for (const [name, tensor] of tensors) {
    const data = floatsOf(tensor, name, file)
    if (!name.startsWith(SECOND_MOMENT) && name !== LOSS_SCALE) continue
    const wrong = data.findIndex((value) => !(value >= 0))
    if (wrong >= 0)
      throw new UserError(
        `${file}: tensor ${name}: value ${wrong} is ${data[wrong]}; expected non-negative numbers`,
      )
  }
}

/** Refuses integers: they are quantized weights or something else. */
function floatsOf({ data, type }: SafeTensor, name: string, file: string): Float32Array {
  if (data instanceof Float32Array) return data
  throw new UserError(
    `${file}: tensor ${name} has type ${type ?? data.constructor.name}; expected F32, F16, BF16 or F64`,
  )
}

/** The values of a weight. @throws UserError if it is missing, or has another shape, type or a value that is not finite */
export function weightsOf(
  tensors: ReadonlyMap<string, SafeTensor>,
  name: string,
  shape: readonly number[],
  file: string,
): Float32Array {
  const tensor = tensors.get(name)
  if (!tensor) throw new UserError(`${file}: tensor ${name} is missing`)
  if (tensor.shape.join() !== shape.join()) {
    throw new UserError(`${file}: tensor ${name} has shape [${tensor.shape}]; the model expects [${shape}]`)
  }
  const data = floatsOf(tensor, name, file)
  assertFinite(`${file}: tensor ${name}`, data)
  return data
}

/** Removes the name prefixes that PyTorch adds for DataParallel and torch.compile. */
function unwrapped(tensors: ReadonlyMap<string, SafeTensor>, file: string): ReadonlyMap<string, SafeTensor> {
  const plain = new Map<string, SafeTensor>()
  for (const [name, tensor] of tensors) {
    const bare = name.replace(/^((module|_orig_mod)\.)+/, '')
    if (plain.has(bare))
      throw new UserError(`${file}: tensor ${bare} occurs twice, with and without the prefix of ${name}`)
    plain.set(bare, tensor)
  }
  return plain
}

/** What happened to every tensor, so that nothing is ignored silently. */
export interface LoadReport {
  readonly loaded: readonly string[]
  /** Parameters of the model that are not in the file; they keep their initial values. */
  readonly missing: readonly string[]
  /** Tensors of the file that the model does not have. */
  readonly unused: readonly string[]
}

/** Loads all weights whose names match. @throws UserError for a matching name with another shape */
export function loadMatching(arena: ParameterArena, checkpoint: SafetensorsFile, file: string): LoadReport {
  const tensors = unwrapped(checkpoint.tensors, file)
  const loaded: string[] = []
  const missing: string[] = []
  for (const parameter of arena.parameters) {
    const { name } = parameter
    if (!tensors.has(name)) {
      missing.push(name)
      continue
    }
    arena.runtime.write(parameter, weightsOf(tensors, name, parameter.shape, file))
    loaded.push(name)
  }
  const ofOptimizer = (name: string) =>
    name.startsWith(FIRST_MOMENT) || name.startsWith(SECOND_MOMENT) || name === LOSS_SCALE
  const unused = [...tensors.keys()].filter((name) => !arena.has(name) && !ofOptimizer(name))
  return { loaded, missing, unused }
}

/** Loads all weights, for evaluation. @throws UserError if one is missing */
export function loadAll(arena: ParameterArena, checkpoint: SafetensorsFile, file: string): void {
  const { missing } = loadMatching(arena, checkpoint, file)
  if (missing.length > 0)
    throw new UserError(`${file}: tensor ${missing[0]} is missing (missing tensors: ${missing.length})`)
}

/** "loaded 52 tensors; newly initialized: head.weight; unused in the file: decoder_* (17)". */
export function describeLoad({ loaded, missing, unused }: LoadReport): string {
  const list = (names: readonly string[]) => {
    const groups = new Map<string, number>()
    for (const name of names) {
      const group = name.replace(/^(decoder)_.*$/, '$1_*').replace(/^(blocks)\..*$/, '$1.*')
      groups.set(group, (groups.get(group) ?? 0) + 1)
    }
    return (
      [...groups].map(([group, count]) => (count > 1 ? `${group} (${count})` : group)).join(', ') || 'nothing'
    )
  }
  return `loaded ${loaded.length} tensors; newly initialized: ${list(missing)}; unused in the file: ${list(unused)}`
}

import type { ParameterArena } from '../../engine/parameters.js'
import type { Tensor } from '../../engine/tensor.js'
import { UserError } from '../../errors.js'
import { stepsPerEpoch } from '../loop/trainLoop.js'
import type { TrainingRun } from '../trainingRun.js'
import { assertFinite, type SafeTensor, type SafetensorsFile } from './safetensors.js'

/** Prefixes of AdamW's first and second moment of a parameter, PyTorch's names for them. */
const FIRST_MOMENT = 'exp_avg.'
const SECOND_MOMENT = 'exp_avg_sq.'
/** State of loss scaling; only in checkpoints of mixed precision. */
const LOSS_SCALE = 'loss_scale'

/** Written into every checkpoint; a file without it is somebody else's weights. */
export const CHECKPOINT_FORMAT = 'fmae-webgpu/1'

type Tensors = Map<string, SafeTensor>

/** Parameters under their names and, for going on, the optimiser's moments and loss scale. */
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

/** Puts weights, moments, loss scale and the step count back; afterwards `trainLoop` goes on as if it had never stopped. */
export function restoreRun(run: TrainingRun, { tensors }: SafetensorsFile, file: string, step: number): void {
  const total = run.schedule.epochs * stepsPerEpoch(run.batches, run.settings.accumulation)
  if (step > total)
    throw new UserError(`${file}: metadata field step is ${step}; this run has ${total} steps`)
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
 * Checks what must hold of every tensor of a checkpoint, whatever it is read for: floating-point numbers, and no second moment or loss
 * scale below 0.
 */
export function checkStoredTensors(tensors: ReadonlyMap<string, SafeTensor>, file: string): void {
  for (const [name, tensor] of tensors) {
    const data = floatsOf(tensor, name, file)
    if (!name.startsWith(SECOND_MOMENT) && name !== LOSS_SCALE) continue
    const wrong = data.findIndex((value) => !(value >= 0))
    if (wrong >= 0)
      throw new UserError(
        `${file}: tensor ${name}: value ${wrong} is ${data[wrong]}; expected numbers of 0 or more`,
      )
  }
}

/** Integers are no weights: whoever wrote them scaled them, or meant something else. */
function floatsOf({ data, type }: SafeTensor, name: string, file: string): Float32Array {
  if (data instanceof Float32Array) return data
  throw new UserError(
    `${file}: tensor ${name} holds numbers of type ${type ?? data.constructor.name}; weights are F32, F16, BF16 or F64`,
  )
}

function weightsOf(
  tensors: ReadonlyMap<string, SafeTensor>,
  name: string,
  shape: readonly number[],
  file: string,
): Float32Array {
  const tensor = tensors.get(name)
  if (!tensor) throw new UserError(`${file}: tensor ${name} is missing`)
  if (tensor.shape.join() !== shape.join()) {
    throw new UserError(`${file}: tensor ${name} has shape [${tensor.shape}]; the model wants [${shape}]`)
  }
  const data = floatsOf(tensor, name, file)
  assertFinite(`${file}: tensor ${name}`, data)
  return data
}

/** The names without what PyTorch puts before those of a wrapped model: DataParallel and torch.compile. */
function unwrapped(tensors: ReadonlyMap<string, SafeTensor>, file: string): ReadonlyMap<string, SafeTensor> {
  const plain = new Map<string, SafeTensor>()
  for (const [name, tensor] of tensors) {
    const bare = name.replace(/^((module|_orig_mod)\.)+/, '')
    if (plain.has(bare))
      throw new UserError(`${file}: tensor ${bare} is there twice, with and without the prefix of ${name}`)
    plain.set(bare, tensor)
  }
  return plain
}

/** What loading weights did with every tensor, so that nothing is left out silently. */
export interface LoadReport {
  readonly loaded: readonly string[]
  /** Parameters of the model that the file does not have: they keep their start values. */
  readonly missing: readonly string[]
  /** Tensors of the file that the model has no place for. */
  readonly unused: readonly string[]
}

/** Copies all weights whose names match. A tensor of the right name and the wrong shape is an error. */
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

/** Copies all weights; a missing one is an error (evaluation of a finished model). */
export function loadAll(arena: ParameterArena, checkpoint: SafetensorsFile, file: string): void {
  const { missing } = loadMatching(arena, checkpoint, file)
  if (missing.length > 0)
    throw new UserError(`${file}: tensor ${missing[0]} is missing (${missing.length} in all)`)
}

/** "loaded 52 tensors; new: head.weight …; in the file, not used: decoder_* (17)". */
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
  return `loaded ${loaded.length} tensors; new: ${list(missing)}; in the file, not used: ${list(unused)}`
}

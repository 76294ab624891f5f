import { UserError } from '../errors.js'
import { classifierParameters } from '../model/auClassifier.js'
import { patchCount, patchValues } from '../model/config.js'
import { fmaeParameters } from '../model/fmae.js'
import type { SafeTensor } from '../train/checkpoint/safetensors.js'
import type { GoldenFile } from './goldenFile.js'

/** Shapes of all tensors that belong in a golden file, and which of them may be left out. */
export interface ExpectedTensors {
  readonly shapes: ReadonlyMap<string, readonly number[]>
  readonly optional: ReadonlySet<string>
}

/** The tensors that the file must contain, given its kind, its config and its number of images. */
export function expectedTensors(golden: GoldenFile): ExpectedTensors {
  const { config, optimizer } = golden
  const batch = batchSize(golden)
  const shapes = new Map<string, readonly number[]>()
  const optional = new Set<string>()
  const specs = golden.kind === 'fmae' ? fmaeParameters(golden.config) : classifierParameters(golden.config)
  for (const { name, shape, frozen } of specs) {
    shapes.set(`w.${name}`, shape)
    shapes.set(`g.${name}`, shape)
    if (optimizer) shapes.set(`after.${name}`, shape)
    // Frozen tables have no gradient and do not change; a file may say so.
    if (frozen) optional.add(`g.${name}`).add(`after.${name}`)
  }
  shapes.set('imgs', [batch, 3, config.imageSize, config.imageSize])
  if (optimizer) shapes.set('losses', [optimizer.lrs.length])
  for (const [name, shape] of Object.entries(inputsAndOutputs(golden, batch))) shapes.set(name, shape)
  if (golden.kind === 'classifier') {
    shapes.set('loss', [1])
    optional.add('loss')
    if (golden.config.lambda === 0) {
      shapes.set('ids', [batch])
      optional.add('ids')
    }
  }
  return { shapes, optional }
}

function inputsAndOutputs(golden: GoldenFile, batch: number): Record<string, readonly number[]> {
  if (golden.kind === 'fmae') {
    const L = patchCount(golden.config)
    return { noise: [batch, L], loss: [1], pred: [batch, L, patchValues(golden.config)], mask: [batch, L] }
  }
  const { aus, subjects, lambda } = golden.config
  const au = { au: [batch, aus], au_logits: [batch, aus], au_loss: [1] }
  return lambda > 0 ? { ...au, ids: [batch], id_logits: [batch, subjects], id_loss: [1] } : au
}

function batchSize({ tensors, file }: GoldenFile): number {
  const batch = tensors.get('imgs')?.shape[0]
  if (!batch) throw new UserError(`${file}: tensor imgs [B,3,S,S] is missing or empty`)
  return batch
}

/** Compares the file with `expected`. @throws UserError naming the tensors that are missing, unknown or misshapen. */
export function checkTensors({ file, tensors }: GoldenFile, expected: ExpectedTensors): void {
  const { shapes, optional } = expected
  const missing = [...shapes.keys()].filter((name) => !optional.has(name) && !tensors.has(name))
  const unknown = [...tensors.keys()].filter((name) => !shapes.has(name))
  const complaints = [
    ...(missing.length > 0 ? [`missing: ${listed(missing)}`] : []),
    ...(unknown.length > 0 ? [`unknown: ${listed(unknown)}`] : []),
  ]
  if (complaints.length > 0) throw new UserError(`${file}: tensors ${complaints.join('; ')}`)
  for (const [name, { shape }] of tensors) {
    const wanted = shapes.get(name)!
    // A scalar may be written with or without its one dimension.
    const isScalar = wanted.join() === '1' && shape.length === 0
    if (shape.join() !== wanted.join() && !isScalar)
      throw new UserError(`${file}: tensor ${name} is [${shape}]; the config expects [${wanted}]`)
  }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(', ')
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown
}

/** A tensor's values as floats, whatever their type in the file. */
export function floats({ data }: SafeTensor): Float32Array {
  return data instanceof Float32Array ? data : Float32Array.from(data)
}

import { UserError } from '../../errors.js'
import { type Layout, layouts, unwrappedName } from '../../model/weights/layouts.js'
import { assertFinite } from '../checkpoint/safetensors.js'
import { decodeValues, isFloatType } from '../checkpoint/storedTypes.js'
import type { StoredTensor, WeightFile } from '../checkpoint/weightFile.js'

/** A tensor under its name in the reference; its values are read on demand. */
export interface ImportedTensor {
  readonly shape: readonly number[]
  /** Types in the file. */
  readonly types: readonly string[]
  /** @throws UserError that names the tensor, if a value is not finite */
  values(): Promise<Float32Array>
}

export interface ImportedTensors {
  readonly layout: Layout
  readonly tensors: ReadonlyMap<string, ImportedTensor>
  readonly leftOut: readonly LeftOut[]
}

export interface LeftOut {
  readonly name: string
  readonly reason: string
}

/** State of our own checkpoints beside the weights. */
const optimizerState = /^(exp_avg\.|exp_avg_sq\.|loss_scale$)/

/**
 * The tensors of a file under the reference's names.
 *
 * @throws UserError if the file has no known layout, two tensors have one name, or weights are integers
 */
export function importedTensors(file: WeightFile): ImportedTensors {
  const stored = new Map<string, StoredTensor>()
  const leftOut: LeftOut[] = []
  for (const [full, tensor] of file.tensors) {
    const name = unwrappedName(full)
    if (optimizerState.test(name)) leftOut.push({ name, reason: 'state of the optimizer' })
    else if (stored.has(name))
      throw new UserError(`${file.name}: tensor ${name} occurs twice, with and without the prefix of ${full}`)
    else if (isFloatType(tensor.type)) stored.set(name, tensor)
    else if (isWeight(name)) throw notFloats(file.name, name, tensor)
    else leftOut.push({ name, reason: 'integers' })
  }
  const layout = layoutOf(file, stored)
  const translation = layout.translate([...stored].map(([name, { shape }]) => ({ name, shape })))
  const tensors = new Map<string, ImportedTensor>()
  for (const { name, from } of translation.parts) {
    if (tensors.has(name))
      throw new UserError(`${file.name}: two tensors mean ${name}, one of them ${from[0]}`)
    tensors.set(
      name,
      joined(
        file.name,
        from,
        from.map((part) => stored.get(part)!),
      ),
    )
  }
  return { layout, tensors, leftOut: [...leftOut, ...translation.leftOut] }
}

function layoutOf(file: WeightFile, stored: ReadonlyMap<string, StoredTensor>): Layout {
  const names = new Set(stored.keys())
  const layout = layouts.find((candidate) => candidate.matches(names))
  if (layout) return layout
  const found = [...names].slice(0, 3).join(', ') || 'no tensor'
  throw new UserError(
    `${file.name}: no encoder block of a ViT. Expected names such as blocks.0.attn.qkv.weight (MAE, FMAE, timm) or vit.encoder.layer.0.attention.attention.query.weight (Hugging Face), found ${found}`,
  )
}

/** Parts one below the other along the first axis. */
function joined(file: string, names: readonly string[], parts: readonly StoredTensor[]): ImportedTensor {
  const [first, ...rest] = parts.map(({ shape }) => shape)
  const different = rest.findIndex((shape) => shape.slice(1).join() !== first.slice(1).join())
  if (different >= 0)
    throw new UserError(
      `${file}: tensors ${names[0]} [${first}] and ${names[different + 1]} [${rest[different]}] do not fit together`,
    )
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 1), 0)
  return {
    shape: parts.length === 1 ? first : [rows, ...first.slice(1)],
    types: parts.map(({ type }) => type),
    async values() {
      const all: Float32Array[] = []
      for (const [i, part] of parts.entries()) all.push(await floats(file, names[i], part))
      return all.length === 1 ? all[0] : concatenated(all)
    },
  }
}

/** Integers under such a name are quantized weights; elsewhere they are counters. */
function isWeight(name: string): boolean {
  return /(\.weight|\.bias|_token|pos_embed)$/.test(name)
}

function notFloats(file: string, name: string, { type }: StoredTensor): UserError {
  return new UserError(`${file}: tensor ${name} has type ${type}; expected F32, F16, BF16 or F64`)
}

async function floats(file: string, name: string, { type, bytes }: StoredTensor): Promise<Float32Array> {
  const where = `${file}: tensor ${name}`
  const values = decodeValues(type, await bytes(), where) as Float32Array
  assertFinite(where, values)
  return values
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

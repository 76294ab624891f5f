import type { StoredType } from './storedTypes.js'

/** A tensor that a file holds; its values are read on demand. */
export interface StoredTensor {
  readonly shape: readonly number[]
  readonly type: StoredType
  /** The values' bytes, little-endian, row-major without gaps. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>
}

export type Hints = Readonly<Record<string, Hint>>
export type Hint = string | number | boolean | readonly number[]

/** The fields with simple values. */
export function hintsIn(fields: object): Hints {
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, Hint] => isHint(field[1])),
  )
}

function isHint(value: unknown): value is Hint {
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'number')
  return isList || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** Weights of any program, by the names in their file. */
export interface WeightFile {
  /** The name in messages. */
  readonly name: string
  /** In words: "PyTorch checkpoint". */
  readonly format: string
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Metadata of a safetensors file. */
  readonly metadata: Readonly<Record<string, string>>
  /** Simple values that describe the model: arguments of its training program, or a config.json. */
  readonly hints: Hints
  /** What the file holds besides: "optimizer", "epoch 49". */
  readonly besides: readonly string[]
}

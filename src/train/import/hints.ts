import { presets } from '../../model/presets.js'
import type { Hint, Hints } from '../checkpoint/weightFile.js'

/** A value and where it is from, for the table that `convert` prints and stores. */
export interface Known<T> {
  readonly value: T
  readonly source: string
}

/** What decides a value, the first that is set. Null where none is. */
export function firstKnown<T>(...candidates: readonly (Known<T> | null)[]): Known<T> | null {
  return candidates.find((candidate) => candidate !== null) ?? null
}

export function fromFlag<T>(flag: string, value: T | undefined): Known<T> | null {
  return value === undefined ? null : { value, source: flag }
}

/** A number or a truth value that the file states, under one of several names. */
export function fromHint<T extends Hint>(
  hints: Hints,
  kind: 'number' | 'boolean',
  ...names: string[]
): Known<T> | null {
  const name = names.find((candidate) => typeof hints[candidate] === kind)
  return name === undefined ? null : { value: hints[name] as T, source: `${name} of the file` }
}

interface Sizes {
  readonly width: number
  readonly depth: number
}

/** Heads of the published model with these sizes: shapes do not show them. */
export function publishedHeads({ width, depth }: Sizes): Known<number> | null {
  for (const [name, preset] of Object.entries(presets))
    if (preset.width === width && preset.depth === depth)
      return { value: preset.heads, source: `${name}, which has this width and depth` }
  return null
}

/** The decoder of all published models: 512 wide, 8 blocks, 16 heads. */
export function publishedDecoderHeads({ width, depth }: Sizes): Known<number> | null {
  for (const [name, preset] of Object.entries(presets))
    if (preset.decoderWidth === width && preset.decoderDepth === depth)
      return { value: preset.decoderHeads, source: `${name}, whose decoder has this width and depth` }
  return null
}

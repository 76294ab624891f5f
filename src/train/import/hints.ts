import { UserError } from '../../errors.js'
import { presets } from '../../model/presets.js'
import type { Hints } from '../checkpoint/weightFile.js'

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

/** A number that the file states, under one of these names. */
export function fromHint(hints: Hints, ...names: readonly string[]): Known<number> | null {
  for (const name of names) {
    const value = hints[name]
    if (typeof value === 'number') return { value, source: `${name} of the file` }
  }
  return null
}

export function switchHint(hints: Hints, ...names: readonly string[]): Known<boolean> | null {
  for (const name of names) {
    const value = hints[name]
    if (typeof value === 'boolean') return { value, source: `${name} of the file` }
  }
  return null
}

/** @throws UserError if user and file state different values */
export function stated<T>(file: string, flag: Known<T> | null, hint: Known<T> | null): Known<T> | null {
  if (flag && hint && String(flag.value) !== String(hint.value))
    throw new UserError(`${file}: ${flag.source} is ${flag.value}, but ${hint.source} is ${hint.value}`)
  return flag ?? hint
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

import { UserError } from '../errors.js'
import { activeUnits } from './actionUnits.js'
import type { ImageSample } from './imageSet.js'
import { labelLineSchema, parseJson } from './schemas.js'
import type { SubjectRule } from './subjectRules.js'

export interface JsonLinesOptions {
  /** The units that labels may name; null: any FACS unit. */
  readonly aus: readonly number[] | null
  /** Finds the subject in `img_path` where a line does not give it; null: such pictures have no subject. */
  readonly subject: SubjectRule | null
}

/** Splits lines at LF or CRLF, keeps line numbers, drops blank lines. */
function* numberedLines(text: string): Generator<{ number: number; line: string }> {
  let number = 0
  for (const raw of text.replace(/^\uFEFF/, '').split('\n')) {
    number++
    const line = raw.trim()
    if (line) yield { number, line }
  }
}

function parseLine(line: string, where: string, options: JsonLinesOptions): ImageSample {
  const entry = parseJson(line, labelLineSchema, where)
  const subject = entry.subject ?? options.subject?.(entry.img_path) ?? null
  if (subject === null && options.subject)
    throw new UserError(`${where}: the subject rule finds no subject in img_path "${entry.img_path}"`)
  const aus = entry.AUs ? activeUnits(entry.AUs, options.aus, where) : null
  return { id: entry.img_path, subject, aus, split: null }
}

/**
 * A label file in the reference's format: one object a line with `img_path` and `AUs`, a list of the active unit
 * numbers in any order, 999 for an absent one. `subject` may be given; other fields are ignored.
 * Returns the records with `id` = `img_path`. Errors name file and line.
 */
export function parseJsonLines(text: string, file: string, options: JsonLinesOptions): ImageSample[] {
  const records = Array.from(numberedLines(text), ({ number, line }) =>
    parseLine(line, `${file} line ${number}`, options),
  )
  if (records.length === 0) throw new UserError(`${file}: no labels in it; expected one JSON object a line`)
  return records
}

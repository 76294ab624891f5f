import { labelLineSchema, parseJson } from '../schemas.js'
import type { Labels } from './labelFile.js'
import { numberedLines } from './textLines.js'

/**
 * A label file in the reference's format: one object a line with `img_path` and `AUs`, a list of the active unit
 * numbers in any order, 999 for an absent one. `subject` may be given; other fields are ignored. Errors name file and line.
 */
export function parseJsonLines(text: string, file: string): Labels {
  const lines = Array.from(numberedLines(text), ({ number, line }) => {
    const where = `${file} line ${number}`
    const { img_path, subject, AUs } = parseJson(line, labelLineSchema, where)
    return { where, path: img_path, subject: subject ?? null, aus: AUs ?? null }
  })
  return { lines, aus: null }
}

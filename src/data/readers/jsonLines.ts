import { labelLineSchema, parseJson } from '../schemas.js'
import type { Labels } from './labelFile.js'
import { numberedLines } from './textLines.js'

/**
 * A label file in the reference's format: one object per line with `img_path`, `AUs` and optionally
 * `subject`. `AUs` lists the active AUs in any order; 999 marks an inactive one. Other fields are ignored.
 *
 * @throws UserError that names file and line
 */
export function parseJsonLines(text: string, file: string): Labels {
  const lines = Array.from(numberedLines(text), ({ number, line }) => {
    const where = `${file} line ${number}`
    const { img_path, subject, AUs } = parseJson(line, labelLineSchema, where)
    return { where, path: img_path, subject: subject ?? null, aus: AUs ?? null }
  })
  return { lines, aus: null }
}

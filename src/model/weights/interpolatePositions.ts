/**
 * Position tables for another image size: the patch part is resized as an image, as PyTorch's
 * `interpolate(mode='bicubic', align_corners=False)` does; the row of the class token stays.
 */

import { UserError } from '../../errors.js'

/** Side of the patch grid of a position table with a class token. */
export function gridOf(tokens: number, name: string, file: string): number {
  const grid = Math.sqrt(tokens - 1)
  if (Number.isInteger(grid) && grid > 0) return grid
  throw new UserError(
    `${file}: tensor ${name} has ${tokens} positions; expected 1 for the class token and a square of patches`,
  )
}

/** PyTorch's constant of the cubic convolution kernel (Keys 1981). */
const A = -0.75

/**
 * [1, 1 + from², width] → [1, 1 + to², width], row-major grids.
 *
 * @throws RangeError if `table` has another number of values
 */
export function interpolatePositions(
  table: Float32Array,
  width: number,
  from: number,
  to: number,
): Float32Array {
  const expected = (1 + from * from) * width
  if (table.length !== expected)
    throw new RangeError(
      `interpolatePositions: ${table.length} values; a grid of ${from}×${from} has ${expected}`,
    )
  const taps = Array.from({ length: to }, (_, at) => cubicTaps(at, from, to))
  const out = new Float32Array((1 + to * to) * width)
  out.set(table.subarray(0, width))
  const row = new Float64Array(width)
  taps.forEach((vertical, y) => {
    taps.forEach((horizontal, x) => {
      row.fill(0)
      for (const v of vertical)
        for (const h of horizontal) {
          const start = (1 + v.index * from + h.index) * width
          const weight = v.weight * h.weight
          for (let column = 0; column < width; column++) row[column] += weight * table[start + column]
        }
      out.set(row, (1 + y * to + x) * width)
    })
  })
  return out
}

interface Tap {
  readonly index: number
  readonly weight: number
}

/** Four neighbors of output position `at`, without antialiasing; beyond the border, the border repeats. */
function cubicTaps(at: number, from: number, to: number): Tap[] {
  const center = ((at + 0.5) * from) / to - 0.5
  const first = Math.floor(center)
  const t = center - first
  const weights = [outer(t + 1), inner(t), inner(1 - t), outer(2 - t)]
  return weights.map((weight, i) => ({ index: Math.min(from - 1, Math.max(0, first - 1 + i)), weight }))
}

/** The kernel at distance |x| ≤ 1. */
function inner(x: number): number {
  return ((A + 2) * x - (A + 3)) * x * x + 1
}

/** The kernel at distance 1 < |x| < 2. */
function outer(x: number): number {
  return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A
}

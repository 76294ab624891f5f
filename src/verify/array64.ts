import ndarray, { type NdArray } from 'ndarray'

/**
 * The host's numbers: float64, row-major where this file makes them; views (transposed, picked) may be
 * strided.
 */
export type Array64 = NdArray<Float64Array>

export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

export function zeros(shape: readonly number[]): Array64 {
  return ndarray(new Float64Array(elements(shape)), [...shape])
}

export function array64(data: ArrayLike<number>, shape: readonly number[]): Array64 {
  return ndarray(Float64Array.from(data), [...shape])
}

/** The same dense numbers under another shape. */
export function reshaped(x: Array64, shape: readonly number[]): Array64 {
  return ndarray(x.data, [...shape])
}

/** A dense array of x's shape with fn(x[i], i), i the flat index. */
export function map(x: Array64, fn: (value: number, index: number) => number): Array64 {
  return ndarray(x.data.map(fn), [...x.shape])
}

/** All rows of the last dimension as one matrix [rows, D]. */
export function rowsOf(x: Array64): Array64 {
  const width = x.shape.at(-1)!
  return reshaped(x, [x.size / width, width])
}

/** Matrix product of two matrices, which may be strided views; a new dense [m, n]. */
export function times(a: Array64, b: Array64): Array64 {
  const [m, k] = a.shape as [number, number]
  const n = b.shape[1]
  if (b.shape[0] !== k) throw new RangeError(`times: [${a.shape}] by [${b.shape}]`)
  const out = zeros([m, n])
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const factor = a.get(i, p)
      const start = b.index(p, 0)
      const step = b.stride[1]
      for (let j = 0; j < n; j++) out.data[i * n + j] += factor * b.data[start + j * step]
    }
  }
  return out
}

export function transposed(a: Array64): Array64 {
  return a.transpose(1, 0)
}

/** Copies a matrix into a (strided) view of the same shape. */
export function assign(target: Array64, source: Array64): void {
  const [rows, columns] = source.shape as [number, number]
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) target.set(i, j, source.get(i, j))
}

/** Sums over the rows of a matrix: [rows, D] → [D]. */
export function columnSums(x: Array64): Array64 {
  const [rows, columns] = x.shape as [number, number]
  const sums = zeros([columns])
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) sums.data[j] += x.get(i, j)
  return sums
}

/** ‖ours − theirs‖ / ‖theirs‖; 0 where both are all zero, infinite where anything is not finite. */
export function relativeError(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length) return Number.POSITIVE_INFINITY
  let difference = 0
  for (let i = 0; i < theirs.length; i++) difference += (ours[i] - theirs[i]) ** 2
  const length = norm(theirs)
  const error = difference === 0 ? 0 : Math.sqrt(difference) / length
  return Number.isFinite(error) && Number.isFinite(length) ? error : Number.POSITIVE_INFINITY
}

/** Euclidean length. */
export function norm(values: ArrayLike<number>): number {
  let squares = 0
  for (let i = 0; i < values.length; i++) squares += values[i] ** 2
  return Math.sqrt(squares)
}

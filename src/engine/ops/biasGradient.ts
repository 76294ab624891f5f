import { columnSum, consecutive, type RowView, rowsPerChunk } from '../../../kernels/reduce.js'
import type { Tensor } from '../tensor.js'

/**
 * Gradient of a bias that was added to every row: the sum over rows. Not a tape op; called from backward
 * functions. dy: [rows, N] (any leading dimensions) → written to `target`, N values, or added to what it
 * holds.
 */
export function biasGradient(dy: Tensor, target: Tensor, accumulate = false): void {
  const rows = dy.size / target.size
  sumRows(dy, rows, target, consecutive(rows), accumulate)
}

/**
 * Writes the sum of `rows` rows of target.size values each to `target`, or adds it to what `target` holds; in
 * two stages where there are many rows. Source and target may be f32 or f16, sums are f32.
 */
export function sumRows(
  source: Tensor,
  rows: number,
  target: Tensor,
  view: RowView = consecutive(rows),
  accumulate = false,
): void {
  const { runtime } = source
  const columns = target.size
  const chunk = rowsPerChunk(runtime.caps, rows, columns)
  const [input, output] = [source.stored, target.stored]
  if (chunk === rows) {
    const kernel = columnSum(runtime.caps, rows, columns, { view, accumulate, input, output })
    runtime.dispatch(kernel, [source, target])
    return
  }
  const chunks = Math.ceil(rows / chunk)
  const partials = runtime.empty([chunks, columns])
  const first = columnSum(runtime.caps, rows, columns, {
    rowsPerChunk: chunk,
    view,
    input,
    output: 'f32',
  })
  const second = columnSum(runtime.caps, chunks, columns, { accumulate, input: 'f32', output })
  runtime.dispatch(first, [source, partials])
  runtime.dispatch(second, [partials, target])
  partials.dispose()
}

import { columnSum, type RowView, rowsPerChunk } from '../../../kernels/reduce.js'
import type { Tensor } from '../tensor.js'

/**
 * Gradient of a bias that was added to every row: the sum over rows. Not a tape op; called from backward
 * functions. dy: [rows, N] (any leading dimensions) → written to `target`, N values.
 */
export function biasGradient(dy: Tensor, target: Tensor): void {
  sumRows(dy, dy.size / target.size, target)
}

/**
 * Writes the sum of `rows` rows of target.size values each to `target`, in two stages where there are many
 * rows. The rows are consecutive in `source` unless `view` says otherwise.
 */
export function sumRows(source: Tensor, rows: number, target: Tensor, view?: RowView): void {
  const { runtime } = source
  const columns = target.size
  const chunk = rowsPerChunk(runtime.caps, rows, columns)
  if (chunk === rows) {
    runtime.dispatch(columnSum(runtime.caps, rows, columns, rows, view), [source, target])
    return
  }
  const chunks = Math.ceil(rows / chunk)
  const partials = runtime.empty([chunks, columns])
  runtime.dispatch(columnSum(runtime.caps, rows, columns, chunk, view), [source, partials])
  runtime.dispatch(columnSum(runtime.caps, chunks, columns), [partials, target])
  partials.dispose()
}

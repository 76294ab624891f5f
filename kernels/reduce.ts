/**
 * Sums over rows: bias gradients, sums over the batch, the second stage of every two-stage reduction.
 *
 * Maths    out[chunk, column] = Σ in[row, column] over the rows of the chunk, rowsPerChunk rows each (the
 *          last may be short). Large sums run it twice: partial sums per chunk, then one sum over the chunks.
 *          The order is fixed.
 * Shapes   in: rows of `columns` values, consecutive unless a `RowView` says where they lie; out: [chunks,
 *          columns].
 * Mapping  one invocation per output value (four columns where the width divides by 4); neighbours read
 *          neighbouring columns, so loads are consecutive. Registers only, no workgroup memory.
 * Numerics f32 sums, serial in a chunk. Chunking keeps the error of long sums near that of a two-level tree.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { type StoredType, storedBytes, storedSuffix } from './stored.js'

const WORKGROUP_SIZE = 64

/**
 * Where the rows to be summed lie when they are not consecutive: `innerRows` consecutive rows at
 * `offset + outer · outerStride` (in values) for outer = 0, 1, …  E.g. token rows T1…T1+R-1 of every sample
 * of [B,T,D]: innerRows R, outerStride T·D, offset T1·D.
 */
export interface RowView {
  readonly innerRows: number
  readonly outerStride: number
  readonly offset: number
}

export function consecutive(rows: number): RowView {
  return { innerRows: rows, outerStride: 0, offset: 0 }
}

export interface ColumnSumOptions {
  /** Rows of one partial sum; by default all. */
  readonly rowsPerChunk?: number
  readonly view?: RowView
  /** Adds to what the output holds. */
  readonly accumulate?: boolean
  readonly input: StoredType
  readonly output: StoredType
}

/**
 * Sums chunks of rows: [rows, columns] → [ceil(rows / rowsPerChunk), columns], by default the sum over all
 * rows, [columns]. Bindings: input, output.
 */
export function columnSum(
  _caps: KernelCaps,
  rows: number,
  columns: number,
  options: ColumnSumOptions,
): Kernel {
  const { rowsPerChunk = rows, view = consecutive(rows), accumulate = false } = options
  const { input, output } = options
  const vector = columns % 4 === 0 && view.outerStride % 4 === 0 && view.offset % 4 === 0
  const width = vector ? 4 : 1
  const chunks = Math.ceil(rows / rowsPerChunk)
  const outputs = chunks * (columns / width)
  const types = input === output ? storedSuffix(input) : `.${input}-${output}`
  const name = `columnSum${vector ? '.vec4' : ''}${accumulate ? '.accumulate' : ''}${types}`
  return {
    name,
    key: name,
    bindings: ['read', 'write'],
    params: [
      rows,
      columns / width,
      rowsPerChunk,
      outputs,
      view.innerRows,
      view.outerStride / width,
      view.offset / width,
    ],
    workgroups: flatGrid(outputs, WORKGROUP_SIZE),
    cost: {
      flops: rows * columns,
      bytes: columns * (rows * storedBytes(input) + chunks * storedBytes(output)),
    },
    code: () => columnSumCode(width, accumulate, input, output),
  }
}

/**
 * Rows per chunk for the first stage of a sum over rows, or `rows` where one stage is best. Many invocations
 * keep a GPU busy, a few workgroups the cores of a CPU driver; there, small sums are not worth a second
 * dispatch (lavapipe, 1088 × 192: 104 µs in one stage, 130 µs in two; 3152 × 384: 503 and 533 µs).
 */
export function rowsPerChunk(caps: KernelCaps, rows: number, columns: number): number {
  if (caps.software && rows * columns < 500_000) return rows
  const invocationsWanted = caps.software ? 8 * WORKGROUP_SIZE : 16384
  const chunksWanted = Math.ceil(invocationsWanted / Math.ceil(columns / 4))
  const chunk = Math.max(32, Math.ceil(rows / chunksWanted))
  return chunk * 2 > rows ? rows : chunk
}

function columnSumCode(width: 1 | 4, accumulate: boolean, input: StoredType, output: StoredType): string {
  const [value, storedInput, storedOutput] = (['f32', input, output] as const).map((type) =>
    width === 4 ? `vec4<${type}>` : type,
  )
  return wgsl`
${input === 'f16' || output === 'f16' ? 'enable f16;' : ''}
struct Params {
  rows: u32,
  columns: u32,
  rowsPerChunk: u32,
  outputs: u32,
  innerRows: u32,
  outerStride: u32,
  offset: u32,
}

@group(0) @binding(0) var<storage, read> input: array<${storedInput}>;
@group(0) @binding(1) var<storage, read_write> output: array<${storedOutput}>;
@group(0) @binding(2) var<uniform> params: Params;

${flatWorkgroupWgsl}

@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let index = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  if (index >= params.outputs) { return; }
  let chunk = index / params.columns;
  let column = index % params.columns;
  let firstRow = chunk * params.rowsPerChunk;
  let endRow = min(firstRow + params.rowsPerChunk, params.rows);

  // Walk the rows without a division each: inner counts rows within the current run of consecutive ones.
  var inner = firstRow % params.innerRows;
  var runStart = params.offset + (firstRow / params.innerRows) * params.outerStride + column;
  var sum = ${value}(0.0);
  for (var row = firstRow; row < endRow; row++) {
    sum += ${value}(input[runStart + inner * params.columns]);
    inner++;
    if (inner == params.innerRows) {
      inner = 0u;
      runStart += params.outerStride;
    }
  }
  #if ${accumulate}
  sum += ${value}(output[index]);
  #endif
  output[index] = ${storedOutput}(sum);
}
`
}

/**
 * Matmul for GPUs: blocks of A and B are staged in workgroup memory, each thread keeps a block of C in
 * registers.
 *
 * Tiling   64 × 64 of C by 16 × 16 threads, 4 × 4 each, walking k in steps of 16. 32 × 32 by 8 × 8 threads
 *          where 64 would leave a GPU idle;
 *          64 × 128 by 8 × 32 threads with 8 × 4 each for large products without an epilogue, which would
 *          cost it registers. A thread's rows and columns are a thread grid apart: neighbours read
 *          neighbouring words of workgroup memory and write neighbouring words of C.
 * Memory   both blocks lie as [16 k][tile + 2] f32 in workgroup memory, at most 12.5 KiB. Four k apart are 8
 *          banks apart (4·66 mod 32), so the transposing stores of a vec4 along k spread over all banks.
 *          Global loads are vec4s where the contiguous dimension of both operands divides by 4; workgroup
 *          memory is read by words, which GPUs do better.
 * Edges    `fits`: all sizes divide by the tile, nothing is checked. Else: rows and columns past the end
 *          repeat the last (they are not stored), k past the end gives 0.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments } from './kernel.js'
import { type MatmulLayout, type MatmulProduct, type MatmulText, productPrelude } from './matmulShared.js'

const DEPTH = 16

interface TiledTile {
  readonly rows: number
  readonly columns: number
  /** The grid of threads: each has rows / threadRows rows and four columns. */
  readonly threadRows: number
  readonly threadColumns: number
}

export const tiledTiles = {
  tiled32x32: { rows: 32, columns: 32, threadRows: 8, threadColumns: 8 },
  tiled64x64: { rows: 64, columns: 64, threadRows: 16, threadColumns: 16 },
  tiled64x128: { rows: 64, columns: 128, threadRows: 8, threadColumns: 32 },
} as const satisfies Record<string, TiledTile>

export type TiledVariant = keyof typeof tiledTiles

/** The text for a product. Needs no extension, 256 invocations and 12.5 KiB of workgroup memory. */
export function tiledText(variant: TiledVariant, product: MatmulProduct): MatmulText {
  const tile: TiledTile = tiledTiles[variant]
  const vector = vectorLoads(product)
  const { m, n, k } = product
  const fits = vector && m % tile.rows === 0 && n % tile.columns === 0 && k % DEPTH === 0
  const width = vector ? 4 : 1
  const widths = { a: width, b: width, c: 1 } as const
  const options = { ...tile, layout: product.layout, vector, fits }
  return {
    variant,
    key: fits ? 'fits' : vector ? 'vec4' : 'scalar',
    rows: tile.rows,
    columns: tile.columns,
    code: () => productPrelude(product, widths) + tiledCode(options),
  }
}

/**
 * Every dimension that a vec4 load of A or B runs along divides by 4: k of A [m,k] and B [n,k], m of A [k,m],
 * n of B [k,n].
 */
export function vectorLoads({ layout, m, n, k }: MatmulProduct): boolean {
  const alongA = layout === 'TN' ? m : k
  const alongB = layout === 'NT' ? k : n
  return alongA % 4 === 0 && alongB % 4 === 0
}

interface TiledOptions extends TiledTile {
  readonly layout: MatmulLayout
  /** Operands are bound as vec4s. */
  readonly vector: boolean
  readonly fits: boolean
}

function tiledCode(options: TiledOptions): string {
  const { layout, rows, columns, threadRows, threadColumns, fits } = options
  const perThread = rows / threadRows
  const strideA = rows + 2
  const strideB = columns + 2
  const sums = Array.from({ length: perThread }, (_, i) => i)
  const columnsOfB = [0, 1, 2, 3].map(
    (j) => `blockB[inner * ${strideB}u + threadColumn + ${j * threadColumns}u]`,
  )
  return wgsl`
var<workgroup> blockA: array<f32, ${DEPTH * strideA}>;
var<workgroup> blockB: array<f32, ${DEPTH * strideB}>;

@compute @workgroup_size(${threadRows * threadColumns})
fn main(${entryArguments}) {
  let flat = flatWorkgroup(workgroup, workgroups);
  if (flat >= params.workgroups) { return; }
  let part = partOf(flat);
  let firstRow = part.tileRow * ${rows}u;
  let firstColumn = part.tileColumn * ${columns}u;
  let threadRow = lane / ${threadColumns}u;
  let threadColumn = lane % ${threadColumns}u;
  let startA = part.batch * params.m * params.k;
  let startB = part.batch * params.n * params.k;

  ${sums.map((i) => `var sum${i} = vec4f();`).join('\n  ')}
  for (var kBlock = part.kStart; kBlock < part.kEnd; kBlock += ${DEPTH}u) {
    ${stage('a', rows, layout !== 'TN', options)}
    ${stage('b', columns, layout === 'NT', options)}
    workgroupBarrier();

    for (var inner = 0u; inner < ${DEPTH}u; inner++) {
      let valuesB = vec4f(${columnsOfB.join(', ')});
      ${sums.map((i) => `sum${i} = fma(vec4f(blockA[inner * ${strideA}u + threadRow + ${i * threadRows}u]), valuesB, sum${i});`).join('\n      ')}
    }
    workgroupBarrier();
  }

  // The row to be stored is always in sum0, the others move up by one: registers cannot be indexed, and the
  // epilogue is written once.
  for (var i = 0u; i < ${perThread}u; i++) {
    let row = firstRow + threadRow + i * ${threadRows}u;
    for (var j = 0u; j < 4u; j++) {
      let column = firstColumn + threadColumn + j * ${threadColumns}u;
      if (${fits ? 'true' : 'row < params.m && column < params.n'}) {
        storeResult((part.slice * params.m + row) * params.n + column, column, sum0.x);
      }
      sum0 = sum0.yzwx;
    }
    ${sums
      .slice(1)
      .map((i) => `sum${i - 1} = sum${i};`)
      .join('\n    ')}
  }
}
`
}

/**
 * Copies 16 k of one operand into its block. `outer` runs along the tile's side (rows of A, columns of B),
 * `inner` along k; neighbouring threads follow the dimension that is contiguous in memory.
 */
function stage(operand: 'a' | 'b', side: number, alongK: boolean, options: TiledOptions): string {
  const { threadRows, threadColumns, vector, fits } = options
  const width = vector ? 4 : 1
  const name = operand.toUpperCase()
  const count = operand === 'a' ? 'params.m' : 'params.n'
  const first = operand === 'a' ? 'firstRow' : 'firstColumn'
  const perLine = (alongK ? DEPTH : side) / width
  const stride = side + 2
  const outer = fits ? `${first} + outer` : `min(${first} + outer, ${count} - ${alongK ? 1 : width}u)`
  const k = fits ? 'kBlock + inner' : `min(kBlock + inner, params.k - ${alongK ? width : 1}u)`
  const index = alongK
    ? `start${name} + (${outer}) * params.k + ${k}`
    : `start${name} + (${k}) * ${count} + ${outer}`
  const loaded = `value${name}(${operand}[(${index})${vector ? ' / 4u' : ''}])`
  const value = fits ? loaded : `select(${vector ? 'vec4f()' : '0.0'}, ${loaded}, kBlock + inner < part.kEnd)`
  const parts = vector ? [0, 1, 2, 3] : [0]
  const target = (c: number) =>
    alongK ? `(inner + ${c}u) * ${stride}u + outer` : `inner * ${stride}u + outer + ${c}u`
  return wgsl`
    for (var i = lane; i < ${(DEPTH * side) / width}u; i += ${threadRows * threadColumns}u) {
      let inner = ${alongK ? `(i % ${perLine}u) * ${width}u` : `i / ${perLine}u`};
      let outer = ${alongK ? `i / ${perLine}u` : `(i % ${perLine}u) * ${width}u`};
      let value = ${value};
      ${parts.map((c) => `block${name}[${target(c)}] = value${vector ? `[${c}]` : ''};`).join('\n      ')}
    }`
}

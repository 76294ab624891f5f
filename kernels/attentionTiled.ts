/**
 * What the tiled attention kernels share. Maths: attentionForward.ts, attentionBackward.ts.
 *
 * Mapping  a workgroup of 8 × 8 invocations owns 32 rows; the columns come in tiles of 16 (8 for head dims
 *          over 64). As in a matrix product, an invocation makes a block of the scores, rows y, y+8, y+16,
 *          y+24 by columns x, x+8, and has a block of the sums, the same rows by chunks x, x+8, x+16, x+24.
 *          Probabilities pass from one to the other through workgroup memory.
 * Memory   registers: per invocation 4 · d/8 sums (twice for keys) and at most 16 scores: 32 sums at d = 64,
 *          64 for keys; at d = 128 twice that. Workgroup: two tiles of columns, a tile of scores (two for
 *          keys); at most 14 KiB.
 * Banks    tiles are chunk by chunk, [chunk][column], with a stride of one more than the columns: invocations
 *          next to each other read next to each other in the scores (by column) and hit different banks in
 *          the sums (by chunk). Rows are read from storage where 8 invocations share each address and the
 *          caches hold them: they are read once per tile and would not fit.
 * Text     loops over chunks and columns have bounds that the compiler does not know, and index no registers:
 *          one pipeline serves many head dims, and compilers do not unroll them for seconds. Loops over
 *          registers have constant bounds.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { type AttentionPlan, type AttentionShape, chunkWidth } from './attention.js'
import { entryArguments } from './kernel.js'
import type { StoredType } from './stored.js'

const SIDE = 8
const ROWS_EACH = 4

export function tiledPlan({ headDim }: AttentionShape, stored: StoredType): AttentionPlan {
  const width = chunkWidth(headDim, 4)
  const slots = Math.ceil(headDim / (width * SIDE))
  const columns = headDim > 64 ? SIDE : 2 * SIDE
  return { variant: 'tiled', stored, width, lanes: SIDE, slots, rows: SIDE * ROWS_EACH, columns }
}

/** Constants, and the tiles called `names`. */
export function tilesWgsl(
  { slots, columns }: AttentionPlan,
  names: readonly string[],
  scores: readonly string[],
): string {
  const elements = slots * SIDE * (columns + 1)
  return wgsl`
const side = ${SIDE}u;
const threads = ${SIDE * SIDE}u;
const rowsEach = ${ROWS_EACH}u;
const columnsEach = ${columns / SIDE}u;
const slots = ${slots}u;
const stride = columns + 1u;
${names.map((name) => `var<workgroup> ${name}: array<Chunk, ${elements}>;`).join('\n')}
${scores.map((name) => `var<workgroup> ${name}: array<f32, ${SIDE * ROWS_EACH * (columns + 1)}>;`).join('\n')}
`
}

/** The entry point up to where it has found its block; \`x\`, \`y\`: its place among the invocations. */
export const entryPoint = /* wgsl */ `
@compute @workgroup_size(threads)
fn main(${entryArguments}) {
  let blockIndex = flatWorkgroup(workgroup, workgroups);
  if (blockIndex >= params.blocks) { return; }
  let block = blockAt(blockIndex);
  let lastToken = params.tokens - 1u;
  let scale = params.scoreScale * log2e;
  let x = lane % side;
  let y = lane / side;
`

/** Fills two tiles with the \`count\` columns from \`first\` on. Neighbours load neighbouring chunks. */
export function loadTiles(
  first: readonly [tile: string, load: string],
  second: readonly [tile: string, load: string],
) {
  return /* wgsl */ `
    let count = min(columns, params.tokens - first);
    workgroupBarrier();
    for (var n = lane; n < count * params.chunks; n += threads) {
      let column = n / params.chunks;
      let chunk = n % params.chunks;
      let token = first + column;
      ${first[0]}[chunk * stride + column] = ${first[1]} + chunk);
      ${second[0]}[chunk * stride + column] = ${second[1]} + chunk);
    }
    workgroupBarrier();
`
}

/** Adds weight · tile to this invocation's block of the sums. */
export function addWeighted(sums: string, weights: string, tile: string): string {
  return /* wgsl */ `
    for (var j = 0u; j < count; j++) {
      var chunks = array<Chunk, slots>();
      for (var s = 0u; s < slots; s++) { chunks[s] = ${tile}[(x + side * s) * stride + j]; }
      for (var m = 0u; m < rowsEach; m++) {
        let weight = ${weights}[(y + side * m) * stride + j];
        for (var s = 0u; s < slots; s++) { ${sums}[m * slots + s] += weight * chunks[s]; }
      }
    }
`
}

/**
 * Stores this invocation's block of \`values\`, an expression in \`m\` and \`s\`, for the rows and chunks
 * that exist.
 */
export function storeBlock(buffer: string, start: string, value: string): string {
  return /* wgsl */ `
  for (var m = 0u; m < rowsEach; m++) {
    let row = block.firstRow + y + side * m;
    for (var s = 0u; s < slots; s++) {
      let chunk = x + side * s;
      if (row <= lastToken && chunk < params.chunks) { ${buffer}[${start}(block, row) + chunk] = StoredChunk(${value}); }
    }
  }
`
}

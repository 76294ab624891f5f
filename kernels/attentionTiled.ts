/**
 * What the tiled attention kernels share. Maths: attentionForward.ts, attentionBackward.ts.
 *
 * Mapping  a workgroup of 8 × 8 invocations owns 32 rows; the others come in tiles of 16 (8 for head dims over 64). As in a matrix product,
 *          an invocation makes a block of the scores, rows y, y+8, y+16, y+24 by others x, x+8, and has a block of the sums, the
 *          same rows by pieces x, x+8, x+16, x+24. Probabilities pass from one to the other through workgroup memory.
 * Memory   registers: per invocation 4 · d/8 sums (twice for keys) and at most 16 scores: 32 sums at d = 64, 64 for keys; at d = 128
 *          twice that. Workgroup: two tiles of others, a tile of scores (two for keys); at most 14 KiB.
 * Banks    tiles are piece by piece, [piece][other], with a stride of one more than the others: invocations next to each other read next
 *          to each other in the scores (by other) and hit different banks in the sums (by piece). Rows are read from storage
 *          where 8 invocations share each address and the caches hold them: they are read once per tile and would not fit.
 * Text     loops over pieces and others have bounds that the compiler does not know, and index no registers: one pipeline serves many
 *          head dims, and compilers do not unroll them for seconds. Loops over registers have constant bounds.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { type AttentionPlan, type AttentionShape, pieceWidth } from './attention.js'
import { entryArguments } from './kernel.js'
import type { StoredType } from './stored.js'

const SIDE = 8
const ROWS_EACH = 4

export function tiledPlan({ headDim }: AttentionShape, stored: StoredType): AttentionPlan {
  const width = pieceWidth(headDim, 4)
  const slots = Math.ceil(headDim / (width * SIDE))
  const others = headDim > 64 ? SIDE : 2 * SIDE
  return { variant: 'tiled', stored, width, lanes: SIDE, slots, rows: SIDE * ROWS_EACH, others }
}

/** Constants, and the tiles called `names`. */
export function tilesWgsl(
  { slots, others }: AttentionPlan,
  names: readonly string[],
  scores: readonly string[],
): string {
  const elements = slots * SIDE * (others + 1)
  return wgsl`
const side = ${SIDE}u;
const threads = ${SIDE * SIDE}u;
const rowsEach = ${ROWS_EACH}u;
const othersEach = ${others / SIDE}u;
const slots = ${slots}u;
const stride = others + 1u;
${names.map((name) => `var<workgroup> ${name}: array<Piece, ${elements}>;`).join('\n')}
${scores.map((name) => `var<workgroup> ${name}: array<f32, ${SIDE * ROWS_EACH * (others + 1)}>;`).join('\n')}
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

/** Fills two tiles with the \`count\` others from \`first\` on. Neighbours load neighbouring pieces. */
export function loadTiles(
  first: readonly [tile: string, load: string],
  second: readonly [tile: string, load: string],
) {
  return /* wgsl */ `
    let count = min(others, params.tokens - first);
    workgroupBarrier();
    for (var n = lane; n < count * params.pieces; n += threads) {
      let other = n / params.pieces;
      let piece = n % params.pieces;
      let token = first + other;
      ${first[0]}[piece * stride + other] = ${first[1]} + piece);
      ${second[0]}[piece * stride + other] = ${second[1]} + piece);
    }
    workgroupBarrier();
`
}

/** Adds weight · tile to this invocation's block of the sums. */
export function addWeighted(sums: string, weights: string, tile: string): string {
  return /* wgsl */ `
    for (var j = 0u; j < count; j++) {
      var pieces = array<Piece, slots>();
      for (var s = 0u; s < slots; s++) { pieces[s] = ${tile}[(x + side * s) * stride + j]; }
      for (var m = 0u; m < rowsEach; m++) {
        let weight = ${weights}[(y + side * m) * stride + j];
        for (var s = 0u; s < slots; s++) { ${sums}[m * slots + s] += weight * pieces[s]; }
      }
    }
`
}

/** Stores this invocation's block of \`values\`, an expression in \`m\` and \`s\`, for the rows and pieces that exist. */
export function storeBlock(buffer: string, start: string, value: string): string {
  return /* wgsl */ `
  for (var m = 0u; m < rowsEach; m++) {
    let row = block.firstRow + y + side * m;
    for (var s = 0u; s < slots; s++) {
      let piece = x + side * s;
      if (row <= lastToken && piece < params.pieces) { ${buffer}[${start}(block, row) + piece] = StoredPiece(${value}); }
    }
  }
`
}

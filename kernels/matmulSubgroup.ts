/**
 * Matmul by subgroups: registers only, no workgroup memory and no barrier. A value of A is fetched by one
 * lane and handed to the others.
 *
 * Tiling   a workgroup has as many invocations as the largest subgroup here; each owns 4 consecutive columns
 *          of C, so a vec4 of B per step of k, and all own the same R rows, so R vec4 sums. R is 4, 8 or 16:
 *          at most the smallest subgroup.
 * Exchange 4 steps of k make a group: its 4·R values of A lie as one vec4 in each of R neighbouring lanes.
 *          The lanes of a subgroup fetch as many groups at once as it holds (subgroup_size / R). Each group
 *          is broadcast from lanes 0…R-1, whose numbers are constants (on some GPUs that is far cheaper than
 *          a shuffle by a variable), then subgroupShuffleDown brings the next.
 * Sizes    right for every subgroup size that is a power of two, and for a size that changes from pipeline to
 *          pipeline: a lane's columns follow from its place in the workgroup, and what it fetches from its
 *          place in the subgroup.
 * Edges    n and k divide by 4, m too for TN; rows and columns past the end repeat the last and are not
 *          stored.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import type { KernelCaps } from './kernel.js'
import { type MatmulProduct, type MatmulText, productPrelude } from './matmulShared.js'

/** Subgroups of 4 to 64 lanes, and sizes that divide by 4 (m only where it is contiguous). */
export function subgroupFits(
  caps: KernelCaps,
  product: Pick<MatmulProduct, 'layout' | 'm' | 'n' | 'k'>,
): boolean {
  const { subgroups = false, subgroupMinSize = 0, subgroupMaxSize = 0 } = caps
  const { layout, m, n, k } = product
  const sizes = subgroups && subgroupMinSize >= 4 && subgroupMaxSize <= 64
  return sizes && n % 4 === 0 && k % 4 === 0 && (layout !== 'TN' || m % 4 === 0)
}

/** The text for a product that is eligible. */
export function subgroupText(caps: KernelCaps, product: MatmulProduct): MatmulText {
  const rows = Math.min(16, caps.subgroupMinSize!)
  const lanes = caps.subgroupMaxSize!
  const code = () =>
    productPrelude(product, { a: 4, b: 4, c: 4 }, ['enable subgroups;']) + subgroupCode(product, rows, lanes)
  return { variant: 'subgroup', key: `${rows}/${lanes}`, rows, columns: 4 * lanes, code }
}

function subgroupCode({ layout }: MatmulProduct, rows: number, lanes: number): string {
  const sums = Array.from({ length: rows }, (_, r) => r)
  return wgsl`
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) place: u32,
  @builtin(subgroup_size) subgroupSize: u32,
) {
  let flat = flatWorkgroup(workgroup, workgroups);
  if (flat >= params.workgroups) { return; }
  let part = partOf(flat);
  let firstRow = part.tileRow * ${rows}u;
  // Columns, and n, in vec4s.
  let vectors = params.n / 4u;
  let column = part.tileColumn * ${lanes}u + lane;
  let columnB = min(column, vectors - 1u);
  let kVectors = params.k / 4u;

  // The vec4 of A that this lane fetches: k and row within the chunk.
  let slot = place % ${rows}u;
  #if ${layout === 'TN'}
  let fetchK = 4u * (place / ${rows}u) + slot / ${rows / 4}u;
  let fetchRow = min(firstRow / 4u + slot % ${rows / 4}u, params.m / 4u - 1u);
  let startA = part.batch * params.k * (params.m / 4u) + fetchRow;
  #else
  let fetchK = 4u * (place / ${rows}u);
  let fetchRow = min(firstRow + slot, params.m - 1u);
  let startA = (part.batch * params.m + fetchRow) * kVectors;
  #endif
  #if ${layout === 'NT'}
  let startB = (part.batch * params.n + 4u * columnB) * kVectors;
  #else
  let startB = part.batch * params.k * vectors + columnB;
  #endif

  ${sums.map((r) => `var sum${r} = vec4f();`).join('\n  ')}
  // Not 0 on a driver that runs below its least size: the loop would not end, and no check could refuse the
  // result.
  let chunk = max(4u, 4u * (subgroupSize / ${rows}u));
  for (var kChunk = part.kStart; kChunk < part.kEnd; kChunk += chunk) {
    #if ${layout === 'TN'}
    var held = valueA(a[startA + min(kChunk + fetchK, params.k - 1u) * (params.m / 4u)]);
    #else
    var held = valueA(a[startA + min((kChunk + fetchK) / 4u, kVectors - 1u)]);
    #endif
    let chunkEnd = min(kChunk + chunk, part.kEnd);
    for (var k = kChunk; k < chunkEnd; k += 4u) {
      ${layout === 'NT' ? loadTransposed : loadRows}
      ${sums.map((slot) => (layout === 'TN' ? stepsOfColumns(slot, rows) : stepsOfRow(slot))).join('\n      ')}
      held = subgroupShuffleDown(held, ${rows}u);
    }
  }

  // The row to be stored is always in sum0: registers cannot be indexed, and the epilogue is written once.
  for (var r = 0u; r < ${rows}u; r++) {
    let row = firstRow + r;
    if (row < params.m && column < vectors) {
      storeResult((part.slice * params.m + row) * vectors + column, column, sum0);
    }
    ${sums
      .slice(1)
      .map((r) => `sum${r - 1} = sum${r};`)
      .join('\n    ')}
  }
}
`
}

/** B [k,n]: this lane's four columns at four steps of k. */
const loadRows = [0, 1, 2, 3]
  .map((i) => `let b${i} = valueB(b[startB + (k + ${i}u) * vectors]);`)
  .join('\n      ')

/** B [n,k]: four steps of k of each of the four columns, turned round. */
const loadTransposed = [
  ...[0, 1, 2, 3].map((i) => `let column${i} = valueB(b[startB + ${i}u * kVectors + k / 4u]);`),
  ...[0, 1, 2, 3].map(
    (i) => `let b${i} = vec4f(column0[${i}], column1[${i}], column2[${i}], column3[${i}]);`,
  ),
].join('\n      ')

/** A [m,k]: lane `slot` holds four steps of k of row `slot`. */
function stepsOfRow(slot: number): string {
  const steps = [0, 1, 2, 3].map((i) => `sum${slot} = fma(vec4f(a${slot}[${i}]), b${i}, sum${slot});`)
  return [`let a${slot} = subgroupBroadcast(held, ${slot}u);`, ...steps].join(' ')
}

/** A [k,m]: lane `slot` holds four rows at one step of k. */
function stepsOfColumns(slot: number, rows: number): string {
  const k = Math.floor(slot / (rows / 4))
  const firstRow = 4 * (slot % (rows / 4))
  const steps = [0, 1, 2, 3].map(
    (i) => `sum${firstRow + i} = fma(vec4f(a${slot}[${i}]), b${k}, sum${firstRow + i});`,
  )
  return [`let a${slot} = subgroupBroadcast(held, ${slot}u);`, ...steps].join(' ')
}

/**
 * Matmul for software adapters with subgroups: there a subgroup is one SIMD vector of a CPU, and a workgroup
 * here is one subgroup.
 *
 * A CPU driver loads lane by lane: one f32 per lane costs as much as five multiply-adds of the whole vector,
 * and no less where all lanes want the same address. So every lane loads other values of A, and
 * subgroupBroadcast, one instruction, hands them round.
 *
 * Maths    NN  C = A·B     A [m,k]  B [k,n]
 *          TN  C = Aᵀ·B    A [k,m]  B [k,n]
 * Tiling   a workgroup computes 32 rows × 64 columns of C; a lane has `groups` groups of 4 consecutive
 *          columns, 4·lanes columns apart. With 8 lanes: 256 accumulators, and for two steps of k 8 values of
 *          A and 16 of B are loaded per lane for 512 multiply-adds.
 * Memory   registers only (those beyond the CPU's own are spilled to its stack, in the first-level cache). A
 *          is read as vec4 along its contiguous dimension, B and C along n.
 *          A weight given as [n,k] is transposed before: that is cheaper than loading one column of it per
 *          lane.
 * Needs    `subgroups` of one fixed size up to 16, n divisible by 4, and k (NN) or m (TN) divisible by 4.
 * Edges    rows and columns past the end repeat the last for the loads and are not stored.
 * Compile  a CPU driver compiles in proportion to the text, most for loads and stores: k goes in steps of two
 *          (one is 15 % slower, four exceed the registers), and there is one store per group in a loop over
 *          the rows.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import type { KernelCaps } from './kernel.js'
import {
  commonEpilogues,
  type MatmulProduct,
  type MatmulSpec,
  type MatmulText,
  productPrelude,
  type TextEpilogue,
  unroll,
} from './matmulShared.js'

const ROWS = 32
const COLUMNS = 64
const rowVectors = ROWS / 4

/** Lanes of a subgroup, or 0 where the size is not fixed or too large for this mapping. */
function fixedLanes({ subgroups, subgroupMinSize, subgroupMaxSize = 0 }: KernelCaps): number {
  return subgroups && subgroupMinSize === subgroupMaxSize && subgroupMaxSize <= 16 ? subgroupMaxSize : 0
}

/** Whether `broadcastText` can run a product of layout NN or TN. */
export function broadcastFits(caps: KernelCaps, { layout, m, n, k }: MatmulSpec): boolean {
  return caps.software && fixedLanes(caps) > 0 && n % 4 === 0 && (layout === 'TN' ? m : k) % 4 === 0
}

export function broadcastText(caps: KernelCaps, product: MatmulProduct): MatmulText {
  const lanes = fixedLanes(caps)
  const groups = COLUMNS / (4 * lanes)
  return {
    variant: 'broadcast',
    key: String(lanes),
    epilogue: textEpilogue(product, lanes),
    rows: ROWS,
    columns: COLUMNS,
    code: () => broadcastCode(product, lanes, groups),
  }
}

/**
 * Forward products and gradients of inputs share a text. With 4 lanes (SwiftShader) the GELU has its own: in
 * the common text it would cost all of them a tenth to a quarter of their speed.
 */
function textEpilogue({ layout, epilogue }: MatmulProduct, lanes: number): TextEpilogue {
  const common = lanes < 8 ? 'linear' : 'linearOrGelu'
  return layout === 'NN' && commonEpilogues[common].includes(epilogue) ? common : epilogue
}

function broadcastCode(product: MatmulProduct, lanes: number, groups: number): string {
  // With the short k of a forward product (NN), moving up 31 rows for each one stored would cost 10 % of the
  // time.
  const band = product.layout === 'TN' ? ROWS : 8
  const mainLoop = product.layout === 'TN' ? loopTN(product, lanes, groups) : loopNN(lanes, groups)
  return wgsl`
${productPrelude({ ...product, epilogue: textEpilogue(product, lanes) }, { a: 4, b: 4, c: 4 }, ['enable subgroups;'], 'words')}
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let flat = flatWorkgroup(workgroup, workgroups);
  if (flat >= params.workgroups) { return; }
  let part = partOf(flat);
  let firstRow = part.tileRow * ${ROWS}u;
  let firstGroup = part.tileColumn * ${groups * lanes}u + lane;
  let groupCount = params.n / 4u;
  ${unroll(groups, (g) => `let group${g} = min(firstGroup + ${g * lanes}u, groupCount - 1u);`)}
  var rowOfB = (part.batch * params.k + part.kStart) * groupCount;

  ${unroll(ROWS, (r) => unroll(groups, (g) => `var sum${r}_${g} = vec4f();`))}
  ${mainLoop}

  // The row to be stored is always in sum0: registers cannot be indexed, and a store is the costliest thing
  // to compile, so it is written once. Within a band the other rows move up by one, after it the other bands
  // by a band.
  let endRow = min(firstRow + ${ROWS}u, params.m);
  for (var bandStart = firstRow; bandStart < endRow; bandStart += ${band}u) {
    for (var row = bandStart; row < min(bandStart + ${band}u, endRow); row++) {
      let outputRow = (part.slice * params.m + row) * groupCount;
      ${unroll(groups, (g) => `if (firstGroup + ${g * lanes}u < groupCount) { storeResult(outputRow + group${g}, group${g}, sum0_${g}); }`)}
      ${moveUp(band - 1, 1, groups)}
    }
    ${moveUp(ROWS - band, band, groups)}
  }
}
`
}

function moveUp(count: number, by: number, groups: number): string {
  return unroll(count, (r) => unroll(groups, (g) => `sum${r}_${g} = sum${r + by}_${g};`))
}

/** A [k,m]: in each step of k a lane loads four consecutive rows of A (of every 4·lanes). */
function loopTN({ epilogue }: MatmulProduct, lanes: number, groups: number): string {
  const perLane = Math.ceil(rowVectors / lanes)
  const each = (text: (i: number) => string) => unroll(perLane, text)
  const hasRowSums = epilogue === 'rowSums'
  return wgsl`
  let vectorsM = params.m / 4u;
  ${each((i) => `let rows${i} = min(firstRow / 4u + ${i * lanes}u + lane, vectorsM - 1u);`)}
  #if ${hasRowSums}
  ${each((i) => `var rowSum${i} = vec4f();`)}
  #endif
  var rowOfA = (part.batch * params.k + part.kStart) * vectorsM;
  for (var k = part.kStart; k < part.kEnd; k += 2u) {
    // Where k is odd, the last step is done twice, the second time with zeros of A.
    let isPair = k + 1u < part.kEnd;
    let nextOfA = rowOfA + select(0u, vectorsM, isPair);
    let nextOfB = rowOfB + select(0u, groupCount, isPair);
    ${each((i) => `let a0_${i} = valueA(a[rowOfA + rows${i}]);`)}
    ${each((i) => `let a1_${i} = select(vec4f(), valueA(a[nextOfA + rows${i}]), isPair);`)}
    ${loadB(0, 'rowOfB', groups)}
    ${loadB(1, 'nextOfB', groups)}
    ${multiplyAdd(groups, (r, step) => `subgroupBroadcast(a${step}_${Math.floor(r / 4 / lanes)}[${r % 4}], ${(r >> 2) % lanes}u)`)}
    #if ${hasRowSums}
    ${each((i) => `rowSum${i} += a0_${i} + a1_${i};`)}
    #endif
    rowOfA += 2u * vectorsM;
    rowOfB += 2u * groupCount;
  }
  #if ${hasRowSums}
  if (part.tileColumn == 0u && lane < ${Math.min(lanes, rowVectors)}u) {
    ${each((i) => `if (firstRow / 4u + ${i * lanes}u + lane < vectorsM) { rowSums[rows${i}] = rowSum${i}; }`)}
  }
  #endif
`
}

/** A [m,k]: for every four steps of k a lane loads them for one row of A (of every `lanes`). */
function loopNN(lanes: number, groups: number): string {
  const each = (text: (i: number) => string) => unroll(ROWS / lanes, text)
  return wgsl`
  let vectorsK = params.k / 4u;
  ${each((i) => `let row${i} = (part.batch * params.m + min(firstRow + ${i * lanes}u + lane, params.m - 1u)) * vectorsK;`)}
  for (var k = part.kStart; k < part.kEnd; k += 4u) {
    ${each((i) => `var a${i} = valueA(a[row${i} + k / 4u]);`)}
    for (var pair = 0u; pair < 2u; pair++) {
      ${loadB(0, 'rowOfB', groups)}
      ${loadB(1, 'rowOfB + groupCount', groups)}
      ${multiplyAdd(groups, (r, step) => `subgroupBroadcast(a${Math.floor(r / lanes)}[${step}], ${r % lanes}u)`)}
      rowOfB += 2u * groupCount;
      ${each((i) => `a${i} = a${i}.zwxy;`)}
    }
  }
`
}

function loadB(step: number, row: string, groups: number): string {
  return unroll(groups, (g) => `let b${step}_${g} = valueB(b[${row} + group${g}]);`)
}

/** Both steps of k for one accumulator after the other: each is fetched and put back once. */
function multiplyAdd(groups: number, valueOfA: (row: number, step: 0 | 1) => string): string {
  return unroll(
    ROWS,
    (r) => `{
      let first = vec4f(${valueOfA(r, 0)});
      let second = vec4f(${valueOfA(r, 1)});
      ${unroll(groups, (g) => `sum${r}_${g} = fma(second, b1_${g}, fma(first, b0_${g}, sum${r}_${g}));`)}
    }`,
  )
}

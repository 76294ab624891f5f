/**
 * Matmul for software adapters, for any sizes and without extensions.
 *
 * Maths    C = Aᵀ·B with both operands k-major: A [k,m], B [k,n].
 * Tiling   a workgroup is 8 lanes and computes 16 rows × 64 columns of C: a lane has two groups of 4
 *          consecutive columns, 32 columns apart, so 128 accumulators. Per step of k: 16 values of A, the
 *          same for all lanes, 8 values of B per lane, 128 multiply-adds.
 * Memory   registers only: workgroup memory and barriers are slow on a CPU driver. A is read as vec4 along m
 *          where m divides by 4, B along n where n divides by 4.
 * Edges    rows and columns past the end repeat the last for the loads and are not stored.
 * Compile  a CPU driver compiles in proportion to the text, most for stores, so k is not unrolled and there
 *          is one store (and one GELU) per group in a loop over the rows.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments } from './kernel.js'
import { type MatmulProduct, type MatmulText, productPrelude, unroll } from './matmulShared.js'

const LANES = 8
const ROWS = 16
const GROUPS = 2

export function registerText(product: MatmulProduct): MatmulText {
  const vectorM = product.m % 4 === 0
  const vectorN = product.n % 4 === 0
  return {
    variant: 'register',
    key: `${vectorM}/${vectorN}`,
    rows: ROWS,
    columns: LANES * GROUPS * 4,
    code: () => registerCode(product, vectorM, vectorN),
  }
}

function registerCode(product: MatmulProduct, vectorM: boolean, vectorN: boolean): string {
  const widths = { a: vectorM ? 4 : 1, b: vectorN ? 4 : 1, c: vectorN ? 4 : 1 } as const
  return wgsl`
${productPrelude(product, widths, [], 'words')}
@compute @workgroup_size(${LANES})
fn main(${entryArguments}) {
  let flat = flatWorkgroup(workgroup, workgroups);
  if (flat >= params.workgroups) { return; }
  let part = partOf(flat);
  let firstRow = part.tileRow * ${ROWS}u;
  let firstGroup = part.tileColumn * ${GROUPS * LANES}u + lane;
  let groupCount = (params.n + 3u) / 4u;

  // Where each row of A and each column group of B starts, in values or vectors; one step of k is a row of A
  // and of B.
  ${unroll(ROWS, (r) => `let row${r} = min(firstRow + ${r}u, params.m - 1u);`)}
  ${unroll(GROUPS, (g) => `let group${g} = min(firstGroup + ${g * LANES}u, groupCount - 1u);`)}
  let strideA = params.m${vectorM ? ' / 4u' : ''};
  let strideB = ${vectorN ? 'groupCount' : 'params.n'};
  var startA = (part.batch * params.k + part.kStart) * strideA;
  var startB = (part.batch * params.k + part.kStart) * strideB;

  ${block((r, g) => `var sum${r}_${g} = vec4f();`)}
  for (var k = part.kStart; k < part.kEnd; k++) {
    ${vectorM ? unroll(ROWS / 4, (i) => `let a${i} = valueA(a[startA + row${4 * i} / 4u]);`) : unroll(ROWS, (r) => `let a${r} = valueA(a[startA + row${r}]);`)}
    ${unroll(GROUPS, (g) => `let b${g} = ${vectorN ? `valueB(b[startB + group${g}])` : scalarsOfB(g)};`)}
    ${block((r, g) => `sum${r}_${g} = fma(vec4f(${vectorM ? `a${r >> 2}[${r & 3}]` : `a${r}`}), b${g}, sum${r}_${g});`)}
    startA += strideA;
    startB += strideB;
  }

  // The finished row is always in sum0: the others move up by one. Registers cannot be indexed, and a store
  // is the costliest thing to compile, so it is written once.
  for (var row = firstRow; row <= row${ROWS - 1}; row++) {
    let outputRow = part.slice * params.m + row;
    ${unroll(GROUPS, (g) => (vectorN ? storeVector(g) : storeScalars(g)))}
    ${unroll(ROWS - 1, (r) => unroll(GROUPS, (g) => `sum${r}_${g} = sum${r + 1}_${g};`))}
  }
}
`
}

function block(text: (row: number, group: number) => string): string {
  return unroll(ROWS, (r) => unroll(GROUPS, (g) => text(r, g)))
}

function scalarsOfB(group: number): string {
  const values = [0, 1, 2, 3].map((j) => `valueB(b[startB + min(4u * group${group} + ${j}u, params.n - 1u)])`)
  return `vec4f(${values.join(', ')})`
}

/** Hands one column group of the row in sum0 to the epilogue. */
function storeVector(group: number): string {
  return wgsl`
    if (firstGroup + ${group * LANES}u < groupCount) {
      storeResult(outputRow * groupCount + group${group}, group${group}, sum0_${group});
    }
`
}

function storeScalars(group: number): string {
  return wgsl`
    for (var j = 0u; j < 4u; j++) {
      let column = 4u * (firstGroup + ${group * LANES}u) + j;
      if (column < params.n) {
        storeResult(outputRow * params.n + column, column, sum0_${group}[j]);
      }
    }
`
}

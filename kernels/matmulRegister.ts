/**
 * Matmul for software adapters, where a subgroup is one SIMD vector of a CPU and workgroup memory and barriers are slow.
 *
 * Maths    C = Aᵀ·B with both operands k-major: A [k,m], B [k,n].
 * Tiling   a workgroup is 8 lanes and computes 16 rows × 64 columns of C: a lane has two groups of 4 consecutive columns, 32
 *          columns apart, so 128 accumulators. Per step of k: 16 values of A, the same for all lanes (the index comes from the
 *          workgroup alone, so the driver loads them once and broadcasts), 8 values of B per lane, 128 multiply-adds.
 * Memory   registers only. A is read as vec4 along m where m divides by 4, B along n where n divides by 4.
 * Edges    rows and columns past the end are clamped for the loads and guarded for the stores.
 * Compile  a CPU driver compiles in proportion to the text, most for stores, so k is not unrolled and
 *          there is one store (and one GELU) in a loop over the rows.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { erfWgsl } from './erf.js'
import type { MatmulEpilogue, MatmulTile } from './matmul.js'
import { matmulParamsWgsl, unroll } from './matmulShared.js'

const lanes = 8
const rows = 16
const groups = 2

export const registerTile: MatmulTile = { rows, columns: lanes * groups * 4 }

interface RegisterOptions {
  readonly epilogue: MatmulEpilogue
  /** m divides by 4. */
  readonly vectorM: boolean
  /** n divides by 4. */
  readonly vectorN: boolean
}

export function registerCode({ epilogue, vectorM, vectorN }: RegisterOptions): string {
  const hasBias = epilogue !== 'none'
  const hasGelu = epilogue === 'biasGelu'
  const c = hasBias ? (hasGelu ? 4 : 3) : 2
  const output = vectorN ? 'vec4f' : 'f32'
  return wgsl`
@group(0) @binding(0) var<storage, read> a: array<${vectorM ? 'vec4f' : 'f32'}>;
@group(0) @binding(1) var<storage, read> b: array<${vectorN ? 'vec4f' : 'f32'}>;
#if ${hasBias}
@group(0) @binding(2) var<storage, read> bias: array<${output}>;
#endif
#if ${hasGelu}
@group(0) @binding(3) var<storage, read_write> preActivation: array<${output}>;
#endif
@group(0) @binding(${c}) var<storage, read_write> c: array<${output}>;
@group(0) @binding(${c + 1}) var<uniform> params: Params;
${matmulParamsWgsl}
#if ${hasGelu}
${erfWgsl}
#endif

@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let flat = flatWorkgroup(workgroup, workgroups);
  if (flat >= params.workgroups) { return; }
  let part = partOf(flat, params);
  let firstRow = part.tileRow * ${rows}u;
  let firstGroup = part.tileColumn * ${groups * lanes}u + lane;
  let groupCount = (params.n + 3u) / 4u;

  // Where each row of A and each column group of B starts, in values or vectors; one step of k is a row of A and of B.
  ${unroll(rows, (r) => `let row${r} = min(firstRow + ${r}u, params.m - 1u);`)}
  ${unroll(groups, (g) => `let group${g} = min(firstGroup + ${g * lanes}u, groupCount - 1u);`)}
  let strideA = params.m${vectorM ? ' / 4u' : ''};
  let strideB = ${vectorN ? 'groupCount' : 'params.n'};
  var startA = (part.batch * params.k + part.kStart) * strideA;
  var startB = (part.batch * params.k + part.kStart) * strideB;

  ${block((r, g) => `var sum${r}_${g} = vec4f();`)}
  for (var k = part.kStart; k < part.kEnd; k++) {
    ${vectorM ? unroll(rows / 4, (i) => `let a${i} = a[startA + row${4 * i} / 4u];`) : unroll(rows, (r) => `let a${r} = a[startA + row${r}];`)}
    ${unroll(groups, (g) => `let b${g} = ${vectorN ? `b[startB + group${g}]` : scalarsOfB(g)};`)}
    ${block((r, g) => `sum${r}_${g} = fma(vec4f(${vectorM ? `a${r >> 2}[${r & 3}]` : `a${r}`}), b${g}, sum${r}_${g});`)}
    startA += strideA;
    startB += strideB;
  }

  // The finished row is always in sum0: the others move up by one. Registers cannot be indexed, and a store is the
  // costliest thing to compile, so it is written once.
  for (var row = firstRow; row <= row${rows - 1}; row++) {
    let outputRow = part.slice * params.m + row;
    ${unroll(groups, (g) => (vectorN ? storeVector(g, hasBias, hasGelu) : storeScalars(g, hasBias, hasGelu)))}
    ${unroll(rows - 1, (r) => unroll(groups, (g) => `sum${r}_${g} = sum${r + 1}_${g};`))}
  }
}
`
}

function block(text: (row: number, group: number) => string): string {
  return unroll(rows, (r) => unroll(groups, (g) => text(r, g)))
}

function scalarsOfB(group: number): string {
  const values = [0, 1, 2, 3].map((j) => `b[startB + min(4u * group${group} + ${j}u, params.n - 1u)]`)
  return `vec4f(${values.join(', ')})`
}

/** Writes one column group of the row in sum0, through the epilogue. */
function storeVector(group: number, hasBias: boolean, hasGelu: boolean): string {
  return wgsl`
    if (firstGroup + ${group * lanes}u < groupCount) {
      let index = outputRow * groupCount + group${group};
      #if ${hasBias}
      let x = sum0_${group} + bias[group${group}];
      #else
      let x = sum0_${group};
      #endif
      #if ${hasGelu}
      preActivation[index] = x;
      c[index] = vec4f(geluExact(x.x), geluExact(x.y), geluExact(x.z), geluExact(x.w));
      #else
      c[index] = x;
      #endif
    }
`
}

function storeScalars(group: number, hasBias: boolean, hasGelu: boolean): string {
  return wgsl`
    for (var j = 0u; j < 4u; j++) {
      let column = 4u * (firstGroup + ${group * lanes}u) + j;
      if (column < params.n) {
        let index = outputRow * params.n + column;
        #if ${hasBias}
        let x = sum0_${group}[j] + bias[column];
        #else
        let x = sum0_${group}[j];
        #endif
        #if ${hasGelu}
        preActivation[index] = x;
        c[index] = geluExact(x);
        #else
        c[index] = x;
        #endif
      }
    }
`
}

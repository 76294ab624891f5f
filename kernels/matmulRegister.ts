/**
 * Matmul for software adapters, where a subgroup is one SIMD vector of a CPU and workgroup memory and barriers are slow.
 *
 * Tiling   a workgroup is 8 lanes and computes 8 rows (TN: 16) × 64 columns of C: a lane has two groups of 4 consecutive columns, 32
 *          columns apart, so 64 accumulators. Per step of k: 8 values of A, the same for all lanes (the index comes from the
 *          workgroup alone, so the driver loads them once and broadcasts), 8 values of B per lane, 64 multiply-adds.
 * Memory   registers only. B is read as vec4 along n where n divides by 4, A of TN as vec4 along m where m divides by 4.
 * Edges    rows and columns past the end are clamped for the loads and guarded for the stores.
 * Compile  a CPU driver compiles in proportion to the text, most for stores, so k is not unrolled and
 *          there is one store (and one GELU) in a loop over the rows.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { erfWgsl } from './erf.js'
import type { MatmulEpilogue, MatmulLayout, MatmulTile } from './matmul.js'
import { matmulParamsWgsl, unroll } from './matmulShared.js'

const lanes = 8
const groups = 2

/** A of TN comes four values a load, so that more rows pay for themselves. */
export function registerTile(layout: MatmulLayout): MatmulTile {
  return { rows: layout === 'TN' ? 16 : 8, columns: lanes * groups * 4 }
}

interface RegisterOptions {
  readonly layout: MatmulLayout
  readonly epilogue: MatmulEpilogue
  /** m divides by 4. */
  readonly vectorM: boolean
  /** n divides by 4. */
  readonly vectorN: boolean
}

export function registerCode({ layout, epilogue, vectorM, vectorN }: RegisterOptions): string {
  const { rows } = registerTile(layout)
  const vectorA = layout === 'TN' && vectorM
  const vectorB = layout !== 'NT' && vectorN
  const hasBias = epilogue !== 'none'
  const hasGelu = epilogue === 'biasGelu'
  const c = hasBias ? (hasGelu ? 4 : 3) : 2
  const output = vectorN ? 'vec4f' : 'f32'
  return wgsl`
@group(0) @binding(0) var<storage, read> a: array<${vectorA ? 'vec4f' : 'f32'}>;
@group(0) @binding(1) var<storage, read> b: array<${vectorB ? 'vec4f' : 'f32'}>;
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

  // Where each row of A and each column group of B starts.
  ${unroll(rows, (r) => `let row${r} = min(firstRow + ${r}u, params.m - 1u);`)}
  ${unroll(groups, (g) => `let group${g} = min(firstGroup + ${g * lanes}u, groupCount - 1u);`)}
  ${startsOfA(rows, layout, vectorA)}
  ${startsOfB(layout, vectorB)}

  ${block(rows, (r, g) => `var sum${r}_${g} = vec4f();`)}
  for (var k = part.kStart; k < part.kEnd; k++) {
    ${loadA(rows, layout, vectorA)}
    ${loadB(layout, vectorB)}
    ${block(rows, (r, g) => `sum${r}_${g} = fma(vec4f(${vectorA ? `a${r >> 2}[${r & 3}]` : `a${r}`}), b${g}, sum${r}_${g});`)}
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

function block(rows: number, text: (row: number, group: number) => string): string {
  return unroll(rows, (r) => unroll(groups, (g) => text(r, g)))
}

function startsOfA(rows: number, layout: MatmulLayout, vector: boolean): string {
  if (vector)
    return unroll(
      rows / 4,
      (i) => `let startA${i} = part.batch * params.k * params.m / 4u + row${4 * i} / 4u;`,
    )
  const start = (r: number) =>
    layout === 'TN'
      ? `part.batch * params.k * params.m + row${r}`
      : `(part.batch * params.m + row${r}) * params.k`
  return unroll(rows, (r) => `let startA${r} = ${start(r)};`)
}

function loadA(rows: number, layout: MatmulLayout, vector: boolean): string {
  if (vector) return unroll(rows / 4, (i) => `let a${i} = a[startA${i} + k * (params.m / 4u)];`)
  return unroll(rows, (r) => `let a${r} = a[startA${r} + k${layout === 'TN' ? ' * params.m' : ''}];`)
}

function startsOfB(layout: MatmulLayout, vector: boolean): string {
  if (vector)
    return unroll(groups, (g) => `let startB${g} = part.batch * params.k * params.n / 4u + group${g};`)
  const start = (g: number, j: number) => {
    const column = `min(4u * group${g} + ${j}u, params.n - 1u)`
    return layout === 'NT'
      ? `(part.batch * params.n + ${column}) * params.k`
      : `part.batch * params.k * params.n + ${column}`
  }
  return unroll(groups, (g) => unroll(4, (j) => `let startB${g}_${j} = ${start(g, j)};`))
}

function loadB(layout: MatmulLayout, vector: boolean): string {
  if (vector) return unroll(groups, (g) => `let b${g} = b[startB${g} + k * (params.n / 4u)];`)
  const step = layout === 'NT' ? 'k' : 'k * params.n'
  const value = (g: number) => [0, 1, 2, 3].map((j) => `b[startB${g}_${j} + ${step}]`).join(', ')
  return unroll(groups, (g) => `let b${g} = vec4f(${value(g)});`)
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

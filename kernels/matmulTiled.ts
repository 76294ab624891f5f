/**
 * Matmul for GPUs: blocks of A and B are staged in workgroup memory, each thread keeps a square of C in registers.
 *
 * Tiling   16 × 16 threads compute 64 × 64 of C, 4 × 4 each (32 × 32 and 2 × 2 where the grid would not fill a GPU), walking k in
 *          steps of 16. A thread's rows and columns are 16 apart: neighbours read neighbouring words of workgroup memory and
 *          write neighbouring words of C.
 * Memory   both blocks lie as [16 k][tile + 1] f32 in workgroup memory, 8.3 KiB for 64; the odd stride spreads the transposing
 *          stores over the banks. Global loads run along the contiguous dimension of each operand.
 * Edges    loads past the end give 0, stores past the end are skipped.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { type MatmulProduct, type MatmulText, productPrelude } from './matmulShared.js'

const threads = 16
const depth = 16

export function tiledText(product: MatmulProduct): MatmulText {
  const { batch, m, n } = product
  const workgroups = batch * Math.ceil(m / 64) * Math.ceil(n / 64)
  const side = workgroups >= 128 ? 64 : 32
  return {
    variant: 'tiled',
    key: String(side),
    rows: side,
    columns: side,
    code: () => tiledCode(product, side),
  }
}

function tiledCode(product: MatmulProduct, side: number): string {
  const { layout } = product
  const perThread = side / threads
  const stride = side + 1
  return wgsl`
${productPrelude(product, { a: 1, b: 1, c: 1 })}
var<workgroup> blockA: array<f32, ${depth * stride}>;
var<workgroup> blockB: array<f32, ${depth * stride}>;

@compute @workgroup_size(${threads}, ${threads})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_id) thread: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let flat = flatWorkgroup(workgroup, workgroups);
  if (flat >= params.workgroups) { return; }
  let part = partOf(flat);
  let firstRow = part.tileRow * ${side}u;
  let firstColumn = part.tileColumn * ${side}u;
  let startA = part.batch * params.m * params.k;
  let startB = part.batch * params.n * params.k;

  var sum: array<array<f32, ${perThread}>, ${perThread}>;
  for (var kBlock = part.kStart; kBlock < part.kEnd; kBlock += ${depth}u) {
    // Stage both blocks; lanes run along k where k is contiguous, else along the rows or columns.
    for (var i = lane; i < ${depth * side}u; i += ${threads * threads}u) {
      #if ${layout === 'TN'}
      let innerA = i / ${side}u;
      let outerA = i % ${side}u;
      let indexA = (kBlock + innerA) * params.m + firstRow + outerA;
      #else
      let innerA = i % ${depth}u;
      let outerA = i / ${depth}u;
      let indexA = (firstRow + outerA) * params.k + kBlock + innerA;
      #endif
      let insideA = kBlock + innerA < part.kEnd && firstRow + outerA < params.m;
      blockA[innerA * ${stride}u + outerA] = select(0.0, valueA(a[startA + select(0u, indexA, insideA)]), insideA);

      #if ${layout === 'NT'}
      let innerB = i % ${depth}u;
      let outerB = i / ${depth}u;
      let indexB = (firstColumn + outerB) * params.k + kBlock + innerB;
      #else
      let innerB = i / ${side}u;
      let outerB = i % ${side}u;
      let indexB = (kBlock + innerB) * params.n + firstColumn + outerB;
      #endif
      let insideB = kBlock + innerB < part.kEnd && firstColumn + outerB < params.n;
      blockB[innerB * ${stride}u + outerB] = select(0.0, valueB(b[startB + select(0u, indexB, insideB)]), insideB);
    }
    workgroupBarrier();

    for (var inner = 0u; inner < ${depth}u; inner++) {
      var valuesB: array<f32, ${perThread}>;
      for (var j = 0u; j < ${perThread}u; j++) {
        valuesB[j] = blockB[inner * ${stride}u + thread.x + j * ${threads}u];
      }
      for (var i = 0u; i < ${perThread}u; i++) {
        let rowValue = blockA[inner * ${stride}u + thread.y + i * ${threads}u];
        for (var j = 0u; j < ${perThread}u; j++) {
          sum[i][j] = fma(rowValue, valuesB[j], sum[i][j]);
        }
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < ${perThread}u; i++) {
    let row = firstRow + thread.y + i * ${threads}u;
    for (var j = 0u; j < ${perThread}u; j++) {
      let column = firstColumn + thread.x + j * ${threads}u;
      if (row < params.m && column < params.n) {
        storeResult((part.slice * params.m + row) * params.n + column, column, sum[i][j]);
      }
    }
  }
}
`
}

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
import { erfWgsl } from './erf.js'
import type { MatmulEpilogue, MatmulLayout, MatmulTile } from './matmul.js'
import { matmulParamsWgsl } from './matmulShared.js'

const threads = 16
const depth = 16

export function tiledTile(batch: number, m: number, n: number): MatmulTile {
  const workgroups = batch * Math.ceil(m / 64) * Math.ceil(n / 64)
  const side = workgroups >= 128 ? 64 : 32
  return { rows: side, columns: side }
}

export function tiledCode(layout: MatmulLayout, epilogue: MatmulEpilogue, tile: MatmulTile): string {
  const side = tile.rows
  const perThread = side / threads
  const stride = side + 1
  const hasBias = epilogue !== 'none'
  const hasGelu = epilogue === 'biasGelu'
  const c = hasBias ? (hasGelu ? 4 : 3) : 2
  return wgsl`
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
#if ${hasBias}
@group(0) @binding(2) var<storage, read> bias: array<f32>;
#endif
#if ${hasGelu}
@group(0) @binding(3) var<storage, read_write> preActivation: array<f32>;
#endif
@group(0) @binding(${c}) var<storage, read_write> c: array<f32>;
@group(0) @binding(${c + 1}) var<uniform> params: Params;
${matmulParamsWgsl}
#if ${hasGelu}
${erfWgsl}
#endif

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
  let part = partOf(flat, params);
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
      blockA[innerA * ${stride}u + outerA] = select(0.0, a[startA + select(0u, indexA, insideA)], insideA);

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
      blockB[innerB * ${stride}u + outerB] = select(0.0, b[startB + select(0u, indexB, insideB)], insideB);
    }
    workgroupBarrier();

    for (var inner = 0u; inner < ${depth}u; inner++) {
      var valuesB: array<f32, ${perThread}>;
      for (var j = 0u; j < ${perThread}u; j++) {
        valuesB[j] = blockB[inner * ${stride}u + thread.x + j * ${threads}u];
      }
      for (var i = 0u; i < ${perThread}u; i++) {
        let valueA = blockA[inner * ${stride}u + thread.y + i * ${threads}u];
        for (var j = 0u; j < ${perThread}u; j++) {
          sum[i][j] = fma(valueA, valuesB[j], sum[i][j]);
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
        let index = (part.slice * params.m + row) * params.n + column;
        #if ${hasGelu}
        let x = sum[i][j] + bias[column];
        preActivation[index] = x;
        c[index] = geluExact(x);
        #elif ${hasBias}
        c[index] = sum[i][j] + bias[column];
        #else
        c[index] = sum[i][j];
        #endif
      }
    }
  }
}
`
}

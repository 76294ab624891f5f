/**
 * Transposes the last two dimensions.
 *
 * Maths    out[z, j, i] = in[z, i, j]
 * Shapes   in [batch, rows, columns], out [batch, columns, rows], f32.
 * Mapping  one invocation per 4 × 4 block, read and written as vec4, where both sizes divide by 4; else one per value of the output.
 *          Registers only. For a software adapter: there a product with B already k-major is faster than one that gathers B.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'

const workgroupSize = 64

/** Bindings: input [batch, rows, columns], output [batch, columns, rows]. */
export function transposeKernel(_caps: KernelCaps, batch: number, rows: number, columns: number): Kernel {
  const blocks = rows % 4 === 0 && columns % 4 === 0
  const width = blocks ? 4 : 1
  const items = batch * (rows / width) * (columns / width)
  const name = blocks ? 'transpose.vec4' : 'transpose'
  return {
    name,
    key: name,
    bindings: ['read', 'write'],
    params: [rows / width, columns / width, items],
    workgroups: flatGrid(items, workgroupSize),
    cost: { flops: 0, bytes: 8 * batch * rows * columns },
    code: () => transposeCode(blocks),
  }
}

function transposeCode(blocks: boolean): string {
  const value = blocks ? 'vec4f' : 'f32'
  return wgsl`
// Counted in blocks.
struct Params {
  rows: u32,
  columns: u32,
  items: u32,
}

@group(0) @binding(0) var<storage, read> input: array<${value}>;
@group(0) @binding(1) var<storage, read_write> output: array<${value}>;
@group(0) @binding(2) var<uniform> params: Params;

${flatWorkgroupWgsl}

@compute @workgroup_size(${workgroupSize})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = flatWorkgroup(workgroup, workgroups) * ${workgroupSize}u + lane;
  if (item >= params.items) { return; }

  // Neighbours have neighbouring rows of the input, so that they write next to each other.
  let row = item % params.rows;
  let outputRow = item / params.rows;
  let batch = outputRow / params.columns;
  let column = outputRow - batch * params.columns;
  #if ${blocks}
  let readAt = 4u * (batch * params.rows + row) * params.columns + column;
  let writeAt = 4u * outputRow * params.rows + row;
  let a = input[readAt];
  let b = input[readAt + params.columns];
  let c = input[readAt + 2u * params.columns];
  let d = input[readAt + 3u * params.columns];
  output[writeAt] = vec4f(a.x, b.x, c.x, d.x);
  output[writeAt + params.rows] = vec4f(a.y, b.y, c.y, d.y);
  output[writeAt + 2u * params.rows] = vec4f(a.z, b.z, c.z, d.z);
  output[writeAt + 3u * params.rows] = vec4f(a.w, b.w, c.w, d.w);
  #else
  output[item] = input[(batch * params.rows + row) * params.columns + column];
  #endif
}
`
}

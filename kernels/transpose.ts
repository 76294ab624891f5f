/**
 * Transposes the last two dimensions.
 *
 * Maths    out[z, j, i] = in[z, i, j]
 * Shapes   in [batch, rows, columns], out [batch, columns, rows], f32 or f16.
 * Mapping  one invocation per 4 × 4 block, read and written as vec4, where both sizes divide by 4; else one
 *          per value of the output. Registers only. For a software adapter: there a product with B already
 *          k-major is faster than one that gathers B.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { type StoredType, storedBytes, storedSuffix, storedWgsl } from './stored.js'

const WORKGROUP_SIZE = 64

/** Bindings: input [batch, rows, columns], output [batch, columns, rows]. */
export function transposeKernel(
  _caps: KernelCaps,
  batch: number,
  rows: number,
  columns: number,
  stored: StoredType,
): Kernel {
  const blocks = rows % 4 === 0 && columns % 4 === 0
  const width = blocks ? 4 : 1
  const items = batch * (rows / width) * (columns / width)
  const name = `transpose${blocks ? '.vec4' : ''}${storedSuffix(stored)}`
  return {
    name,
    key: name,
    bindings: ['read', 'write'],
    params: [rows / width, columns / width, items],
    workgroups: flatGrid(items, WORKGROUP_SIZE),
    cost: { flops: 0, bytes: 2 * storedBytes(stored) * batch * rows * columns },
    code: () => transposeCode(blocks, stored),
  }
}

function transposeCode(blocks: boolean, stored: StoredType): string {
  const value = blocks ? 'Stored4' : 'Stored'
  return wgsl`
${storedWgsl(stored)}
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

@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let item = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
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
  output[writeAt] = Stored4(a.x, b.x, c.x, d.x);
  output[writeAt + params.rows] = Stored4(a.y, b.y, c.y, d.y);
  output[writeAt + 2u * params.rows] = Stored4(a.z, b.z, c.z, d.z);
  output[writeAt + 3u * params.rows] = Stored4(a.w, b.w, c.w, d.w);
  #else
  output[item] = input[(batch * params.rows + row) * params.columns + column];
  #endif
}
`
}

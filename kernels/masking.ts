/**
 * From the rank of every patch's noise to what a masked autoencoder needs: the patches it keeps, in noise
 * order, the mask in patch order, and the way back to patch order for a sequence [class token, kept patches,
 * removed patches].
 *
 *   rank_i < kept:  keptIndices[rank_i] = i, mask_i = 0      else  mask_i = 1
 *   restore_0 = 0, restore_(1+i) = 1 + rank_i
 *
 * rank u32 [rows, length] (a permutation per row, see argsort.ts) → kept u32 [rows, kept], restore u32 [rows,
 * 1 + length], mask f32 [rows, length]. One invocation per patch; every place is written exactly once.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'

const WORKGROUP_SIZE = 64

/**
 * Bindings: rank u32 [rows, length], kept u32 [rows, kept], restore u32 [rows, 1 + length], mask f32 [rows,
 * length].
 */
export function maskingKernel(_caps: KernelCaps, rows: number, length: number, kept: number): Kernel {
  return {
    name: 'masking',
    key: 'masking',
    bindings: ['read', 'write', 'write', 'write'],
    params: [rows * length, length, kept],
    workgroups: flatGrid(rows * length, WORKGROUP_SIZE),
    cost: { flops: 0, bytes: 4 * rows * (3 * length + kept) },
    code,
  }
}

const code = () => wgsl`
@group(0) @binding(0) var<storage, read> rank: array<u32>;
@group(0) @binding(1) var<storage, read_write> keptIndices: array<u32>;
@group(0) @binding(2) var<storage, read_write> restore: array<u32>;
@group(0) @binding(3) var<storage, read_write> mask: array<f32>;

struct Params { count: u32, length: u32, kept: u32 }
@group(0) @binding(4) var<uniform> params: Params;
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let index = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  if (index >= params.count) {
    return;
  }
  let row = index / params.length;
  let patchIndex = index % params.length;
  let place = rank[index];
  let sequence = row * (params.length + 1u);
  restore[sequence + 1u + patchIndex] = 1u + place;
  if (patchIndex == 0u) {
    restore[sequence] = 0u;
  }
  mask[index] = select(1.0, 0.0, place < params.kept);
  if (place < params.kept) {
    keptIndices[row * params.kept + place] = patchIndex;
  }
}
`

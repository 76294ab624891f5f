import type { KernelCaps } from './kernel.js'

/**
 * WGSL for a reduction across one workgroup: `sumLanes(slot, lane, value)` and `maxLanes(slot, lane, value)`
 * give every invocation the same total of one value per lane, combined in lane order, hence bit for bit
 * repeatable on any subgroup size. Each use in a kernel names a slot of its own (0 … slots-1), so one barrier
 * is enough: no slot is written twice. Every lane then adds all values itself, which broadcasts from
 * workgroup memory and, with few lanes, is cheaper than the barriers of a tree on a software adapter; sums go
 * by blocks of 16, so that rounding errors of equal addends do not pile up. `lanes` is 8 or a multiple of 16.
 * Call it in uniform control flow.
 */
export function lanesWgsl(lanes: number, slots: number): string {
  const block = Math.min(lanes, 16)
  return /* wgsl */ `
var<workgroup> lanesScratch: array<f32, ${lanes * slots}>;

fn sumLanes(slot: u32, lane: u32, value: f32) -> f32 {
  lanesScratch[slot * ${lanes}u + lane] = value;
  workgroupBarrier();
  var total = 0.0;
  for (var block = 0u; block < ${lanes}u; block += ${block}u) {
    var blockSum = 0.0;
    for (var other = 0u; other < ${block}u; other++) {
      blockSum += lanesScratch[slot * ${lanes}u + block + other];
    }
    total += blockSum;
  }
  return total;
}

fn maxLanes(slot: u32, lane: u32, value: f32) -> f32 {
  lanesScratch[slot * ${lanes}u + lane] = value;
  workgroupBarrier();
  var largest = lanesScratch[slot * ${lanes}u];
  for (var other = 1u; other < ${lanes}u; other++) {
    largest = max(largest, lanesScratch[slot * ${lanes}u + other]);
  }
  return largest;
}
`
}

/**
 * Lanes for a kernel with one workgroup per row: on a software adapter one SIMD group, where a barrier costs
 * little (64 lanes were twelve times slower on lavapipe).
 */
export function rowLanes(caps: KernelCaps): number {
  return caps.software ? 8 : 64
}

/**
 * Lanes for the one workgroup that adds up what others have left. The work is small; on a software adapter
 * the loops over 256 lanes, which its compiler unrolls, took longer to compile than any other kernel of their
 * size.
 */
export function finishLanes(caps: KernelCaps): number {
  return caps.software ? 8 : 256
}

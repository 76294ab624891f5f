/**
 * WGSL for a reduction across one workgroup: `sumLanes(slot, lane, value)` and `maxLanes(slot, lane, value)` give every
 * invocation the same total of one value per lane, combined in lane order, hence bit for bit repeatable on any
 * subgroup size. Each use in a kernel names a slot of its own (0 … slots-1), so one barrier is enough: no slot is
 * written twice. Every lane then adds all values itself, which broadcasts from workgroup memory and, with few lanes,
 * is cheaper than the barriers of a tree on a software adapter. Call it in uniform control flow.
 */
export function lanesWgsl(lanes: number, slots: number): string {
  return /* wgsl */ `
var<workgroup> lanesScratch: array<f32, ${lanes * slots}>;

fn sumLanes(slot: u32, lane: u32, value: f32) -> f32 {
  lanesScratch[slot * ${lanes}u + lane] = value;
  workgroupBarrier();
  var total = 0.0;
  for (var other = 0u; other < ${lanes}u; other++) {
    total += lanesScratch[slot * ${lanes}u + other];
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

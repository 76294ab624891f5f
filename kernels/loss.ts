/**
 * Classification losses and their gradients: binary cross-entropy with logits, softmax cross-entropy.
 *
 * Each loss is two kernels. Forward goes straight from logits to one partial loss per invocation or row, with
 * every intermediate (sigmoid, softmax) in registers, and `finishMean` adds the partials in fixed order.
 * Backward goes straight from logits to their gradient, times the upstream gradient dy [1], again without
 * intermediates in memory; softmax reuses the row statistics (maximum and log-sum) that forward saved.
 *
 * Mapping  BCE: one invocation per few elements. Softmax: one workgroup per row, lanes stride along it, row
 *          statistics by `lanesWgsl` (workgroup memory of three floats a lane).
 * Numerics all in f32; no exp of a positive number, so logits of any size are safe.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, f32, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { finishLanes, lanesWgsl, rowLanes } from './lanes.js'

const WORKGROUP_SIZE = 64

const logOnePlusWgsl = `
// log(1 + e) for e in [0, 1] as 2·atanh(s), s = e / (2 + e) ≤ 1/3, by its odd series: full f32 accuracy also
// for tiny e, where log(1.0 + e) gives 0 and drivers may be 5e-7 off near 1.
fn logOnePlus(e: f32) -> f32 {
  let s = e / (2.0 + e);
  let q = s * s;
  let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0
    + q * (1.0 / 11.0 + q * (1.0 / 13.0 + q * (1.0 / 15.0)))))));
  return 2.0 * s * series;
}`

// ---- binary cross-entropy with logits ----

/** How many partial sums `bceWithLogitsForward` writes for `count` elements. */
export function bcePartials(count: number): number {
  return Math.min(4096, Math.ceil(count / 8))
}

/**
 * partials[p] = Σ over i ≡ p (mod partials) of max(x,0) − x·y + log(1 + e^−|x|), the overflow-safe form of
 * −y·log σ(x) − (1−y)·log(1−σ(x)). Bindings: logits x [count], targets y [count] in [0,1], partials.
 */
export function bceWithLogitsForward(_caps: KernelCaps, count: number): Kernel {
  const partials = bcePartials(count)
  return {
    name: 'bceWithLogitsForward',
    key: 'bceWithLogitsForward',
    bindings: ['read', 'read', 'write'],
    params: [count, partials],
    workgroups: flatGrid(partials, WORKGROUP_SIZE),
    cost: { flops: 25 * count, bytes: 8 * count + 4 * partials },
    code: bceForwardCode,
  }
}

const bceForwardCode = () => wgsl`
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

struct Params { count: u32, partials: u32 }
@group(0) @binding(3) var<uniform> params: Params;
${logOnePlusWgsl}
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let partial = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  if (partial >= params.partials) {
    return;
  }
  var sum = 0.0;
  for (var index = partial; index < params.count; index += params.partials) {
    let x = logits[index];
    sum += max(x, 0.0) - x * targets[index] + logOnePlus(exp(-abs(x)));
  }
  partials[partial] = sum;
}
`

/** dx = dy·(σ(x) − y) / count. Bindings: logits x, targets y, dy [1], dx. */
export function bceWithLogitsBackward(_caps: KernelCaps, count: number): Kernel {
  return {
    name: 'bceWithLogitsBackward',
    key: 'bceWithLogitsBackward',
    bindings: ['read', 'read', 'read', 'write'],
    params: [count, f32(1 / count)],
    workgroups: flatGrid(count, WORKGROUP_SIZE),
    cost: { flops: 8 * count, bytes: 12 * count },
    code: bceBackwardCode,
  }
}

const bceBackwardCode = () => wgsl`
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

struct Params { count: u32, factor: f32 }
@group(0) @binding(4) var<uniform> params: Params;
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let index = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  if (index >= params.count) {
    return;
  }
  let x = logits[index];
  let y = targets[index];
  let e = exp(-abs(x));
  let tail = e / (1.0 + e);
  // σ(x) is tail or 1 − tail; taking 1 − y first keeps the small gradients of confident right answers exact.
  let difference = select(tail - y, (1.0 - y) - tail, x >= 0.0);
  dx[index] = dy[0] * params.factor * difference;
}
`

// ---- softmax cross-entropy ----

/**
 * rowLoss = log Σ e^x − (1−ε)·x[label] − ε·mean(x) with label smoothing ε (Szegedy et al. 2016; the smoothed
 * mass is spread over all classes). A label ≥ classes makes the loss NaN rather than something plausible.
 * Bindings: logits [rows, classes], labels u32 [rows], rowLoss [rows], stats [rows, 2] = (max x, log Σ
 * e^(x−max)).
 */
export function softmaxCrossEntropyForward(
  caps: KernelCaps,
  rows: number,
  classes: number,
  smoothing: number,
): Kernel {
  const lanes = rowLanes(caps)
  return {
    name: 'softmaxCrossEntropyForward',
    key: `softmaxCrossEntropyForward/${lanes}`,
    bindings: ['read', 'read', 'write', 'write'],
    params: [rows, classes, f32(smoothing)],
    workgroups: flatGrid(rows, 1),
    cost: { flops: 8 * rows * classes, bytes: 4 * rows * (classes + 4) },
    code: () => crossEntropyForwardCode(lanes),
  }
}

const crossEntropyForwardCode = (lanes: number) => wgsl`
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> rowLoss: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec2f>;

struct Params { rows: u32, classes: u32, smoothing: f32 }
@group(0) @binding(4) var<uniform> params: Params;
${flatWorkgroupWgsl}
${lanesWgsl(lanes, 3)}
@compute @workgroup_size(${lanes})
fn main(${entryArguments}) {
  let row = flatWorkgroup(workgroup, workgroups);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.classes;

  // Lanes beyond the row count class 0 once more in the maximum, which changes nothing.
  var laneMax = logits[start];
  for (var class_ = lane; class_ < params.classes; class_ += ${lanes}u) {
    laneMax = max(laneMax, logits[start + class_]);
  }
  let largest = maxLanes(0u, lane, laneMax);

  var laneExp = 0.0;
  var laneBelow = 0.0;
  for (var class_ = lane; class_ < params.classes; class_ += ${lanes}u) {
    let shifted = logits[start + class_] - largest;
    laneExp += exp(shifted);
    laneBelow += shifted;
  }
  let logSum = log(sumLanes(1u, lane, laneExp));
  let meanShifted = sumLanes(2u, lane, laneBelow) / f32(params.classes);

  if (lane == 0u) {
    let label = labels[row];
    let known = label < params.classes;
    let labelShifted = logits[start + select(0u, label, known)] - largest;
    let loss = logSum - (1.0 - params.smoothing) * labelShifted - params.smoothing * meanShifted;
    rowLoss[row] = bitcast<f32>(select(0x7fc00000u, bitcast<u32>(loss), known));
    stats[row] = vec2f(largest, logSum);
  }
}
`

/**
 * dx = dy / rows · (softmax(x) − (1−ε)·onehot(label) − ε/classes).
 * Bindings: logits [rows, classes], labels u32 [rows], stats [rows, 2] of the forward, dy [1], dx [rows,
 * classes].
 */
export function softmaxCrossEntropyBackward(
  _caps: KernelCaps,
  rows: number,
  classes: number,
  smoothing: number,
): Kernel {
  const count = rows * classes
  return {
    name: 'softmaxCrossEntropyBackward',
    key: 'softmaxCrossEntropyBackward',
    bindings: ['read', 'read', 'read', 'read', 'write'],
    params: [count, classes, f32(1 - smoothing), f32(smoothing / classes), f32(1 / rows)],
    workgroups: flatGrid(count, WORKGROUP_SIZE),
    cost: { flops: 6 * count, bytes: 8 * count + 12 * rows },
    code: crossEntropyBackwardCode,
  }
}

const crossEntropyBackwardCode = () => wgsl`
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> stats: array<vec2f>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

struct Params { count: u32, classes: u32, labelMass: f32, everyMass: f32, factor: f32 }
@group(0) @binding(5) var<uniform> params: Params;
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let index = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  if (index >= params.count) {
    return;
  }
  let row = index / params.classes;
  let class_ = index % params.classes;
  let rowStats = stats[row];
  let probability = exp(logits[index] - rowStats.x - rowStats.y);
  let wanted = params.everyMass + select(0.0, params.labelMass, labels[row] == class_);
  dx[index] = dy[0] * params.factor * (probability - wanted);
}
`

// ---- second stage ----

/** loss = Σ partials / divisor. Bindings: partials [count], loss [1]. */
export function finishMean(caps: KernelCaps, count: number, divisor: number): Kernel {
  const lanes = finishLanes(caps)
  return {
    name: 'finishMean',
    key: `finishMean/${lanes}`,
    bindings: ['read', 'write'],
    params: [count, f32(divisor)],
    workgroups: [1, 1, 1],
    cost: { flops: count, bytes: 4 * count },
    code: () => finishMeanCode(lanes),
  }
}

const finishMeanCode = (lanes: number) => wgsl`
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> loss: array<f32>;

struct Params { count: u32, divisor: f32 }
@group(0) @binding(2) var<uniform> params: Params;
${lanesWgsl(lanes, 1)}
@compute @workgroup_size(${lanes})
fn main(@builtin(local_invocation_index) lane: u32) {
  var laneSum = 0.0;
  for (var index = lane; index < params.count; index += ${lanes}u) {
    laneSum += partials[index];
  }
  let total = sumLanes(0u, lane, laneSum);
  if (lane == 0u) {
    loss[0] = total / params.divisor;
  }
}
`

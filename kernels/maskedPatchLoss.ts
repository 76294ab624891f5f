/**
 * The masked autoencoder's loss and its gradient (He et al. 2022): squared error on masked patches against
 * pixels that are normalised per patch.
 *
 *   t̂    = (t − mean) / sqrt(variance + 1e-6),  mean and unbiased variance (÷ length−1) over the patch; or
 *         t̂ = t
 *   loss = Σ mask·mean((pred − t̂)²) / Σ mask,   sums over all patches of the batch
 *
 * Forward normalises, compares and reduces a patch in one kernel (three short walks over it: mean, variance,
 * error) and saves only its (mean, 1/σ), from which backward recomputes t̂. Rows are patches: pred [rows,
 * length], rows = B·L, length = p·p·C. The target is either patches of the same shape, or the images
 * [B,C,S,S] they are cut from, read in place: no copy of them is kept. Backward writes the gradient over the
 * predictions, which nothing needs any more.
 *
 * Mapping  one workgroup per patch, lanes stride along it, by vec4 where the target is patches whose length
 *          divides by 4. Three sums by `lanesWgsl` (three floats a lane of workgroup memory). Visible patches
 *          are skipped.
 * Types    predictions and their gradient f32 or f16, all else f32.
 * Numerics all in f32; variance in two passes, so that a flat patch has variance 0 and the 1e-6 decides.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, f32, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { finishLanes, lanesWgsl, rowLanes } from './lanes.js'
import { type StoredType, storedBytes, storedSuffix, storedWgsl } from './stored.js'

/** Where the target patches lie in the images. */
export interface TargetImages {
  readonly channels: number
  readonly imageSize: number
  readonly patchSize: number
}

/**
 * rowLoss = mask · mean over the patch of (pred − t̂)². With `normalise`, t̂ = (target − mean) /
 * sqrt(variance + 1e-6), mean and unbiased variance (÷ length−1) over the patch; else t̂ = target. Rows with
 * mask 0 are not even read.
 * Bindings: pred [rows, length], target [rows, length] or images, mask [rows], rowLoss [rows], stats [rows,
 * 2] = (mean, 1/σ).
 */
export function maskedPatchLossForward(
  caps: KernelCaps,
  rows: number,
  length: number,
  normalise: boolean,
  images: TargetImages | null,
  stored: StoredType,
): Kernel {
  const lanes = rowLanes(caps)
  const width = loadWidth(length, images)
  return {
    name: (normalise ? 'maskedPatchLossForward.normPix' : 'maskedPatchLossForward') + storedSuffix(stored),
    key: `maskedPatchLossForward/${normalise}/${lanes}/${width}/${targetKey(images)}${storedSuffix(stored)}`,
    bindings: ['read', 'read', 'read', 'write', 'write'],
    params: [rows, length / width, f32(length)],
    workgroups: flatGrid(rows, 1),
    cost: {
      flops: (normalise ? 9 : 3) * rows * length,
      bytes: rows * ((4 + storedBytes(stored)) * length + 16),
    },
    code: () => patchForwardCode(lanes, width, normalise, images, stored),
  }
}

function loadWidth(length: number, images: TargetImages | null): 1 | 4 {
  return !images && length % 4 === 0 ? 4 : 1
}

function targetKey(images: TargetImages | null): string {
  return images ? Object.values(images).join('x') : 'patches'
}

/**
 * WGSL `wanted(row, i)`: element (or vec4) i of a target patch; in images a patch is in (row, column,
 * channel) order.
 */
function targetWgsl(images: TargetImages | null): string {
  if (!images) return 'fn wanted(row: u32, i: u32) -> Value {\n  return targets[row * params.loads + i];\n}'
  const { channels, imageSize, patchSize } = images
  const grid = imageSize / patchSize
  return wgsl`
fn wanted(row: u32, i: u32) -> Value {
  let sample = row / ${grid * grid}u;
  let cell = row % ${grid * grid}u;
  let channel = i % ${channels}u;
  let pixel = i / ${channels}u;
  let y = (cell / ${grid}u) * ${patchSize}u + pixel / ${patchSize}u;
  let x = (cell % ${grid}u) * ${patchSize}u + pixel % ${patchSize}u;
  return targets[((sample * ${channels}u + channel) * ${imageSize}u + y) * ${imageSize}u + x];
}
`
}

/**
 * WGSL: `Value` is what one load gives, `Held` how predictions lie in memory; `total` adds a value's
 * components.
 */
const valueWgsl = (width: number, stored: StoredType) => wgsl`
${storedWgsl(stored)}
#if ${width === 4}
alias Value = vec4f;
alias Held = Stored4;
fn total(value: vec4f) -> f32 {
  return (value.x + value.y) + (value.z + value.w);
}
#else
alias Value = f32;
alias Held = Stored;
fn total(value: f32) -> f32 {
  return value;
}
#endif
`

const patchForwardCode = (
  lanes: number,
  width: number,
  normalise: boolean,
  images: TargetImages | null,
  stored: StoredType,
) => wgsl`
${valueWgsl(width, stored)}
@group(0) @binding(0) var<storage, read> pred: array<Held>;
@group(0) @binding(1) var<storage, read> targets: array<Value>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> rowLoss: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2f>;

// The length of a row in loads, and in elements.
struct Params { rows: u32, loads: u32, length: f32 }
@group(0) @binding(5) var<uniform> params: Params;
${flatWorkgroupWgsl}
${targetWgsl(images)}
${lanesWgsl(lanes, 3)}
@compute @workgroup_size(${lanes})
fn main(${entryArguments}) {
  let row = flatWorkgroup(workgroup, workgroups);
  if (row >= params.rows) {
    return;
  }
  if (mask[row] == 0.0) {
    if (lane == 0u) {
      rowLoss[row] = 0.0;
      stats[row] = vec2f(0.0, 0.0);
    }
    return;
  }
  let start = row * params.loads;
  var mean = 0.0;
  var inverseSigma = 1.0;

#if ${normalise}
  var laneSum = Value(0.0);
  for (var i = lane; i < params.loads; i += ${lanes}u) {
    laneSum += wanted(row, i);
  }
  mean = sumLanes(0u, lane, total(laneSum)) / params.length;

  var laneSquares = Value(0.0);
  for (var i = lane; i < params.loads; i += ${lanes}u) {
    let deviation = wanted(row, i) - mean;
    laneSquares += deviation * deviation;
  }
  let variance = sumLanes(1u, lane, total(laneSquares)) / (params.length - 1.0);
  inverseSigma = 1.0 / sqrt(variance + 1e-6);
#endif

  var laneError = Value(0.0);
  for (var i = lane; i < params.loads; i += ${lanes}u) {
    let error = Value(pred[start + i]) - (wanted(row, i) - mean) * inverseSigma;
    laneError += error * error;
  }
  let patchLoss = sumLanes(2u, lane, total(laneError)) / params.length;
  if (lane == 0u) {
    rowLoss[row] = mask[row] * patchLoss;
    stats[row] = vec2f(mean, inverseSigma);
  }
}
`

/**
 * pred becomes dpred = dy · mask / Σ mask · 2 / length · (pred − t̂), zeros where mask = 0. The target gets
 * no gradient. Bindings: pred [rows, length] (read and written), target [rows, length] or images, mask
 * [rows], stats [rows, 2] of the forward, inverseMaskSum [1], dy [1].
 */
export function maskedPatchLossBackward(
  caps: KernelCaps,
  rows: number,
  length: number,
  images: TargetImages | null,
  stored: StoredType,
): Kernel {
  const lanes = rowLanes(caps)
  const width = loadWidth(length, images)
  return {
    name: `maskedPatchLossBackward${storedSuffix(stored)}`,
    key: `maskedPatchLossBackward/${lanes}/${width}/${targetKey(images)}${storedSuffix(stored)}`,
    bindings: ['write', 'read', 'read', 'read', 'read', 'read'],
    params: [rows, length / width, f32(length)],
    workgroups: flatGrid(rows, 1),
    cost: { flops: 4 * rows * length, bytes: rows * ((4 + 2 * storedBytes(stored)) * length + 12) },
    code: () => patchBackwardCode(lanes, width, images, stored),
  }
}

const patchBackwardCode = (
  lanes: number,
  width: number,
  images: TargetImages | null,
  stored: StoredType,
) => wgsl`
${valueWgsl(width, stored)}
@group(0) @binding(0) var<storage, read_write> pred: array<Held>;
@group(0) @binding(1) var<storage, read> targets: array<Value>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<vec2f>;
@group(0) @binding(4) var<storage, read> inverseMaskSum: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;

// The length of a row in loads, and in elements.
struct Params { rows: u32, loads: u32, length: f32 }
@group(0) @binding(6) var<uniform> params: Params;
${flatWorkgroupWgsl}
${targetWgsl(images)}
@compute @workgroup_size(${lanes})
fn main(${entryArguments}) {
  let row = flatWorkgroup(workgroup, workgroups);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.loads;
  if (mask[row] == 0.0) {
    for (var i = lane; i < params.loads; i += ${lanes}u) {
      pred[start + i] = Held();
    }
    return;
  }
  let rowStats = stats[row];
  let factor = dy[0] * mask[row] * inverseMaskSum[0] * 2.0 / params.length;
  for (var i = lane; i < params.loads; i += ${lanes}u) {
    let error = Value(pred[start + i]) - (wanted(row, i) - rowStats.x) * rowStats.y;
    pred[start + i] = Held(factor * error);
  }
}
`

/**
 * loss = Σ rowLoss / Σ mask, and 1 / Σ mask for the backward; both 0 where nothing is masked.
 * Bindings: rowLoss [rows], mask [rows], loss [1], inverseMaskSum [1].
 */
export function finishMasked(caps: KernelCaps, rows: number): Kernel {
  const lanes = finishLanes(caps)
  return {
    name: 'finishMasked',
    key: `finishMasked/${lanes}`,
    bindings: ['read', 'read', 'write', 'write'],
    params: [rows],
    workgroups: [1, 1, 1],
    cost: { flops: 2 * rows, bytes: 8 * rows },
    code: () => finishMaskedCode(lanes),
  }
}

const finishMaskedCode = (lanes: number) => wgsl`
@group(0) @binding(0) var<storage, read> rowLoss: array<f32>;
@group(0) @binding(1) var<storage, read> mask: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> inverseMaskSum: array<f32>;

struct Params { rows: u32 }
@group(0) @binding(4) var<uniform> params: Params;
${lanesWgsl(lanes, 2)}
@compute @workgroup_size(${lanes})
fn main(@builtin(local_invocation_index) lane: u32) {
  var laneLoss = 0.0;
  var laneMask = 0.0;
  for (var row = lane; row < params.rows; row += ${lanes}u) {
    laneLoss += rowLoss[row];
    laneMask += mask[row];
  }
  let totalLoss = sumLanes(0u, lane, laneLoss);
  let totalMask = sumLanes(1u, lane, laneMask);
  if (lane == 0u) {
    let inverse = select(0.0, 1.0 / totalMask, totalMask > 0.0);
    inverseMaskSum[0] = inverse;
    loss[0] = totalLoss * inverse;
  }
}
`

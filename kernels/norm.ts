/**
 * Global gradient norm and the clip factor, all on the device: AdamW reads the result, the host need not.
 *
 *   norm   = gradientMultiplier · sqrt(Σ g²) over the whole arena
 *   factor = min(1, maxNorm / (norm + 1e-6)), 1 where maxNorm is 0 (no clipping)     (Pascanu et al. 2013)
 *
 * Stage 1, once per chunk of the arena: each invocation strides over the chunk by vec4 and writes one partial
 * sum; no workgroup memory. Stage 2: one workgroup adds the partials of all chunks in fixed order. Padding
 * between parameters must be zero. Numerics: f32, in four independent sums per invocation. A non-finite norm
 * sets a flag (bit test, since compilers may drop x != x): `adamw` then leaves everything as it is for this
 * step.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { adamwScalarsWgsl, clipWgsl } from './adamw.js'
import { entryArguments, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { finishLanes, lanesWgsl } from './lanes.js'

const WORKGROUP_SIZE = 64

/**
 * How many partial sums stage 1 writes for a chunk of `count` elements: enough invocations to fill the
 * adapter.
 */
export function squaredNormPartials(caps: KernelCaps, count: number): number {
  return Math.min(caps.software ? 1024 : 65536, Math.ceil(count / 64))
}

/**
 * Stage 1. Bindings: gradient f32 [count] (count divides by 4), partials f32 [all chunks].
 * Writes partials firstPartial … firstPartial + squaredNormPartials(caps, count) − 1.
 */
export function squaredNormKernel(caps: KernelCaps, count: number, firstPartial: number): Kernel {
  if (count % 4 !== 0) throw new RangeError(`squaredNorm: count must divide by 4, got ${count}`)
  const partials = squaredNormPartials(caps, count)
  return {
    name: 'squaredNorm',
    key: 'squaredNorm',
    bindings: ['read', 'write'],
    params: [count / 4, firstPartial, partials],
    workgroups: flatGrid(partials, WORKGROUP_SIZE),
    cost: { flops: 2 * count, bytes: 4 * count },
    code: squaredNormCode,
  }
}

const squaredNormCode = () => wgsl`
@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;

struct Params { vectors: u32, firstPartial: u32, partials: u32 }
@group(0) @binding(2) var<uniform> params: Params;
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let slot = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  if (slot >= params.partials) {
    return;
  }
  var squares = vec4f(0.0);
  for (var index = slot; index < params.vectors; index += params.partials) {
    let g = gradient[index];
    squares += g * g;
  }
  partials[params.firstPartial + slot] = (squares.x + squares.y) + (squares.z + squares.w);
}
`

/**
 * Stage 2. Bindings: partials f32 [count], scalars (see `adamwScalars` in adamw.ts: gradientMultiplier and
 * maxNorm are read), clip f32 [3] = (norm before clipping, factor, 1 if the norm is not finite else 0).
 */
export function clipFactorKernel(caps: KernelCaps, count: number): Kernel {
  const lanes = finishLanes(caps)
  return {
    name: 'clipFactor',
    key: `clipFactor/${lanes}`,
    bindings: ['read', 'read', 'write'],
    params: [count],
    workgroups: [1, 1, 1],
    cost: { flops: count, bytes: 4 * count },
    code: () => clipFactorCode(lanes),
  }
}

const clipFactorCode = (lanes: number) => wgsl`
${adamwScalarsWgsl}
${clipWgsl}
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read> scalars: Scalars;
@group(0) @binding(2) var<storage, read_write> clip: Clip;

struct Params { count: u32 }
@group(0) @binding(3) var<uniform> params: Params;

const exponent = 0x7f800000u;
${lanesWgsl(lanes, 1)}
@compute @workgroup_size(${lanes})
fn main(@builtin(local_invocation_index) lane: u32) {
  var laneSum = 0.0;
  for (var index = lane; index < params.count; index += ${lanes}u) {
    laneSum += partials[index];
  }
  let norm = scalars.gradientMultiplier * sqrt(sumLanes(0u, lane, laneSum));
  if (lane == 0u) {
    let limit = scalars.maxNorm;
    let finite = (bitcast<u32>(norm) & exponent) != exponent;
    clip.norm = norm;
    clip.factor = select(1.0, min(1.0, limit / (norm + 1e-6)), limit > 0.0);
    clip.nonFinite = select(1.0, 0.0, finite);
  }
}
`

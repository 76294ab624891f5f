/**
 * AdamW over a whole parameter arena in one dispatch (Loshchilov & Hutter 2019), with the semantics of
 * torch.optim.AdamW:
 *
 *   g ← gradientMultiplier · clipFactor · g
 *   p ← p · (1 − lr·wd)
 *   m ← m + (1−β₁)(g − m)          v ← β₂·v + (1−β₂)·g²
 *   p ← p − lr · (m / (1−β₁ᵗ)) / (sqrt(v / (1−β₂ᵗ)) + ε),      lr = learningRate · multiplier of the group
 *
 * Shapes   param, grad, m, v: f32 [count] with one layout, count a multiple of 64. Each block of 64 elements
 *          belongs to one parameter, hence to one group; blocks of group 0xffffffff (frozen or padding) are
 *          skipped.
 * Mapping  one invocation per vec4; registers only. Bound by memory speed: 7 words moved per parameter.
 * Scalars  everything that changes from step to step is data in `scalars`; 1−β is passed as such, because in
 *          f32 1 − 0.999 is already off by 1e-5. If the clip flag says "not finite", nothing at all is
 *          written.
 * An arena larger than one binding is updated chunk by chunk.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'

/** Elements per block: the granularity at which parameters change group. */
export const ADAMW_BLOCK = 64
/** Group number of blocks that are not updated. */
export const ADAMW_SKIPPED_GROUP = 0xffffffff

const WORKGROUP_SIZE = 64

/** One step's numbers. `step` counts from 1. */
export interface AdamwStep {
  readonly learningRate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly step: number
  /** E.g. 1 / accumulated micro-batches. */
  readonly gradientMultiplier: number
  /** Largest global gradient norm; 0 = no clipping. */
  readonly maxNorm: number
}

/** Numbers in the `scalars` buffer. */
export const ADAMW_SCALAR_COUNT = 13

/**
 * The `scalars` buffer of one step, f32 [13]; corrections are computed in float64. The last three are for
 * loss scaling, which corrects them for skipped steps (lossScale.ts).
 */
export function adamwScalars(s: AdamwStep): Float32Array {
  return Float32Array.of(
    s.learningRate,
    s.beta1,
    1 - s.beta1,
    s.beta2,
    1 - s.beta2,
    s.epsilon,
    1 - s.beta1 ** s.step,
    1 - s.beta2 ** s.step,
    s.gradientMultiplier,
    s.maxNorm,
    s.step,
    Math.log(s.beta1),
    Math.log(s.beta2),
  )
}

/** WGSL `Scalars`: what `adamwScalars` gives, by name. */
export const adamwScalarsWgsl = /* wgsl */ `
struct Scalars {
  learningRate: f32,
  beta1: f32,
  oneMinusBeta1: f32,
  beta2: f32,
  oneMinusBeta2: f32,
  epsilon: f32,
  correction1: f32,
  correction2: f32,
  gradientMultiplier: f32,
  maxNorm: f32,
  step: f32,
  logBeta1: f32,
  logBeta2: f32,
}
`

/** WGSL `Clip`: what `clipFactorKernel` (norm.ts) finds out about the gradient before it is used. */
export const clipWgsl = /* wgsl */ `
struct Clip {
  norm: f32,
  factor: f32,
  nonFinite: f32,
}
`

/**
 * Bindings: param, grad, m, v f32 [count]; groupOfBlock u32 [count / 64]; groups f32 [groups, 4] =
 * (learning-rate multiplier, weight decay, 0, 0); scalars f32 [13] of `adamwScalars`; clip f32 [3] of
 * `clipFactorKernel`, or (0, 1, 0) where the norm is not wanted.
 */
export function adamwKernel(_caps: KernelCaps, count: number): Kernel {
  if (count % ADAMW_BLOCK !== 0)
    throw new RangeError(`adamw: count must divide by ${ADAMW_BLOCK}, got ${count}`)
  return {
    name: 'adamw',
    key: 'adamw',
    bindings: ['write', 'read', 'write', 'write', 'read', 'read', 'read', 'read'],
    params: [count / 4],
    workgroups: flatGrid(count / 4, WORKGROUP_SIZE),
    cost: { flops: 16 * count, bytes: 28 * count },
    code,
  }
}

const code = () => wgsl`
${adamwScalarsWgsl}
${clipWgsl}
@group(0) @binding(0) var<storage, read_write> param: array<vec4f>;
@group(0) @binding(1) var<storage, read> grad: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> firstMoment: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> secondMoment: array<vec4f>;
@group(0) @binding(4) var<storage, read> groupOfBlock: array<u32>;
@group(0) @binding(5) var<storage, read> groups: array<vec4f>;
@group(0) @binding(6) var<storage, read> scalars: Scalars;
@group(0) @binding(7) var<storage, read> clip: Clip;

struct Params { vectors: u32 }
@group(0) @binding(8) var<uniform> params: Params;

const vectorsPerBlock = ${ADAMW_BLOCK / 4}u;
const skippedGroup = ${ADAMW_SKIPPED_GROUP}u;
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let index = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  if (index >= params.vectors || clip.nonFinite != 0.0) {
    return;
  }
  let group = groupOfBlock[index / vectorsPerBlock];
  if (group == skippedGroup) {
    return;
  }
  let learningRate = scalars.learningRate * groups[group].x;
  let weightDecay = groups[group].y;

  let g = grad[index] * (scalars.gradientMultiplier * clip.factor);
  let previousM = firstMoment[index];
  let m = previousM + scalars.oneMinusBeta1 * (g - previousM);
  let v = scalars.beta2 * secondMoment[index] + scalars.oneMinusBeta2 * g * g;
  firstMoment[index] = m;
  secondMoment[index] = v;

  let decayed = param[index] * (1.0 - learningRate * weightDecay);
  let direction = (m / scalars.correction1) / (sqrt(v / scalars.correction2) + scalars.epsilon);
  param[index] = decayed - learningRate * direction;
}
`

/**
 * Dynamic loss scaling, all on the device (Micikevicius et al. 2018, "Mixed precision training", section
 * 3.2). The gradient of the loss starts from `scale` instead of 1, so that small gradients do not fall below
 * what f16 can hold; this kernel, run between the global norm and AdamW, takes the scale out again and
 * chooses the next one:
 *
 *   norm ← norm / scale        factor ← min(1, maxNorm / norm) / scale
 *   a gradient was not finite:  AdamW leaves everything as it is (clip flag), scale ← scale / 2
 *   else:                       after `growthInterval` good steps in a row scale ← 2·scale, at most
 *                               `largestScale`
 *
 * Scales are powers of two, so that scaling rounds nothing. AdamW's bias corrections 1 − βᵗ count done
 * updates:
 * t = step − skipped, which only the device knows; 1 − βᵗ = −expm1(t·ln β).
 *
 * Shapes   state f32 [3] = (scale, good steps in a row, skipped steps); counts are exact in f32 up to 2^24.
 * Mapping  one invocation.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { adamwScalarsWgsl, clipWgsl } from './adamw.js'
import type { Kernel, KernelCaps } from './kernel.js'

/**
 * The first scale: large, as a scale too large costs one step each halving, one too small costs accuracy
 * unseen.
 */
export const FIRST_SCALE = 2 ** 16
/** Good steps in a row after which the scale is doubled. */
export const GROWTH_INTERVAL = 500
const LARGEST_SCALE = 2 ** 24

/** The state before the first step. */
export function lossScaleStart(): Float32Array {
  return Float32Array.of(FIRST_SCALE, 0, 0)
}

/**
 * Bindings: state f32 [3], clip f32 [3] of `clipFactorKernel`, scalars of `adamwScalars`; all are rewritten.
 */
export function lossScaleKernel(_caps: KernelCaps): Kernel {
  return {
    name: 'lossScale',
    key: 'lossScale',
    bindings: ['write', 'write', 'write'],
    params: [],
    workgroups: [1, 1, 1],
    cost: { flops: 50, bytes: 100 },
    code,
  }
}

const code = () => wgsl`
struct State { scale: f32, goodSteps: f32, skippedSteps: f32 }
${clipWgsl}
${adamwScalarsWgsl}
@group(0) @binding(0) var<storage, read_write> state: State;
@group(0) @binding(1) var<storage, read_write> clip: Clip;
@group(0) @binding(2) var<storage, read_write> scalars: Scalars;

// 1 − e^z for z ≤ 0; where that would cancel, by the series of expm1.
fn oneMinusExp(z: f32) -> f32 {
  var series = 1.0;
  for (var n = 9.0; n > 1.0; n -= 1.0) {
    series = 1.0 + z / n * series;
  }
  return select(1.0 - exp(z), -z * series, z > -0.5);
}

@compute @workgroup_size(1)
fn main() {
  let unscale = 1.0 / state.scale;
  clip.norm *= unscale;
  clip.factor = unscale;
  if (scalars.maxNorm > 0.0) {
    clip.factor = unscale * min(1.0, scalars.maxNorm / (clip.norm + 1e-6));
  }
  let updates = scalars.step - state.skippedSteps;
  scalars.correction1 = oneMinusExp(updates * scalars.logBeta1);
  scalars.correction2 = oneMinusExp(updates * scalars.logBeta2);

  if (clip.nonFinite != 0.0) {
    state.scale *= 0.5;
    state.goodSteps = 0.0;
    state.skippedSteps += 1.0;
    return;
  }
  state.goodSteps += 1.0;
  if (state.goodSteps == ${GROWTH_INTERVAL}.0) {
    state.scale = min(2.0 * state.scale, ${LARGEST_SCALE}.0);
    state.goodSteps = 0.0;
  }
}
`

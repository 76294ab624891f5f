/**
 * Philox4x32-10 on the device (Salmon et al., SC 2011): the same bits as `src/engine/random.ts`.
 *
 * State is data, one buffer of four u32: [seed, stream, step low word, step high word]. Draw i of a
 * dispatch has
 *   key     = (seed, stream)
 *   counter = (floor(i / 4), 0, step low, step high),   word i mod 4 of the result
 * so its host twin is draw i of `new PhiloxStream(seed, stream, step)`; write a new step (or stream) for new
 * numbers.
 *
 * One invocation makes one block of four draws in registers; no workgroup memory. A uniform is the upper 24
 * bits of a word times 2^-24: exact in f32, in [0, 1).
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'

const WORKGROUP_SIZE = 64
/** Ten rounds of two 64-bit products (seven integer operations each) and a few xors, per four draws. */
const FLOPS_PER_DRAW = 50

const philoxWgsl = /* wgsl */ `
struct RandomState {
  seed: u32,
  stream: u32,
  stepLow: u32,
  stepHigh: u32,
}

// High 32 bits of a 64-bit product, by 16-bit halves: WGSL has no wide multiply.
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu;
  let aHigh = a >> 16u;
  let bLow = b & 0xffffu;
  let bHigh = b >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let carry = (middle & 0xffffu) + aLow * bHigh;
  return aHigh * bHigh + (middle >> 16u) + (carry >> 16u);
}

fn philox(counterStart: vec4u, keyStart: vec2u) -> vec4u {
  var counter = counterStart;
  var key = keyStart;
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiplyHigh(0xd2511f53u, counter.x);
    let high1 = multiplyHigh(0xcd9e8d57u, counter.z);
    counter = vec4u(
      high1 ^ counter.y ^ key.x,
      0xcd9e8d57u * counter.z,
      high0 ^ counter.w ^ key.y,
      0xd2511f53u * counter.x,
    );
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return counter;
}

/// Draws 4·block … 4·block+3 as uniforms in [0, 1).
fn uniformBlock(state: RandomState, block: u32) -> vec4f {
  let words = philox(vec4u(block, 0u, state.stepLow, state.stepHigh), vec2u(state.seed, state.stream));
  return vec4f(words >> vec4u(8u)) * (1.0 / 16777216.0);
}
`

/** Fills `values` [count] with uniforms in [0, 1). Bindings: state u32 [4], values f32 [count]. */
export function uniformKernel(_caps: KernelCaps, count: number): Kernel {
  const blocks = Math.ceil(count / 4)
  return {
    name: 'uniform',
    key: 'uniform',
    bindings: ['read', 'write'],
    params: [count],
    workgroups: flatGrid(blocks, WORKGROUP_SIZE),
    cost: { flops: count * FLOPS_PER_DRAW, bytes: 4 * count },
    code: uniformCode,
  }
}

const uniformCode = () => wgsl`
@group(0) @binding(0) var<storage, read> state: RandomState;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;

struct Params { count: u32 }
@group(0) @binding(2) var<uniform> params: Params;
${philoxWgsl}
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let block = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  let uniforms = uniformBlock(state, block);
  for (var word = 0u; word < 4u; word++) {
    let index = 4u * block + word;
    if (index < params.count) {
      values[index] = uniforms[word];
    }
  }
}
`

/**
 * Stochastic depth (Huang et al. 2016): keep[branch][b] = 0 with probability rate[branch], else 1 / (1 -
 * rate[branch]). Draw branch·batch + b decides; it drops when the uniform is below the rate, so rate 0 always
 * keeps. Bindings: state u32 [4], rates f32 [branches], keep f32 [branches, batch].
 */
export function dropPathKernel(_caps: KernelCaps, batch: number, branches: number): Kernel {
  const count = batch * branches
  return {
    name: 'dropPath',
    key: 'dropPath',
    bindings: ['read', 'read', 'write'],
    params: [count, batch],
    workgroups: flatGrid(Math.ceil(count / 4), WORKGROUP_SIZE),
    cost: { flops: count * FLOPS_PER_DRAW, bytes: 4 * (count + branches) },
    code: dropPathCode,
  }
}

const dropPathCode = () => wgsl`
@group(0) @binding(0) var<storage, read> state: RandomState;
@group(0) @binding(1) var<storage, read> rates: array<f32>;
@group(0) @binding(2) var<storage, read_write> keep: array<f32>;

struct Params { count: u32, batch: u32 }
@group(0) @binding(3) var<uniform> params: Params;
${philoxWgsl}
${flatWorkgroupWgsl}
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let block = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  let uniforms = uniformBlock(state, block);
  for (var word = 0u; word < 4u; word++) {
    let index = 4u * block + word;
    if (index < params.count) {
      let rate = rates[index / params.batch];
      keep[index] = select(1.0 / (1.0 - rate), 0.0, uniforms[word] < rate);
    }
  }
}
`

/** The peak rates of this adapter, measured by two small kernels: multiply-adds in registers, and copying. */
import { flatGrid, flatWorkgroupWgsl, type Kernel } from '../kernels/kernel.js'
import type { Runtime } from '../src/engine/runtime.js'
import type { Tensor } from '../src/engine/tensor.js'
import { type Effort, timeWork } from './timing.js'

export interface Ceilings {
  /** Billions of f32 operations per second; a fused multiply-add counts as two. */
  readonly fmaGflops: number
  /** Billions of bytes per second, counting both read and written bytes. */
  readonly copyGBs: number
}

const LANES = 64
const FMA_GROUPS = 512
const FMA_TURNS = 1024
/** Independent chains of vec4 in registers: few leave the pipeline waiting, many spill. The best of these counts. */
const CHAINS = [2, 3, 4, 6, 8]
/** Larger than the caches. */
const COPY_BYTES = 64 * 2 ** 20
const VECTORS_PER_LANE = [1, 4, 16]

export async function measureCeilings(runtime: Runtime, effort: Effort): Promise<Ceilings> {
  const results = runtime.empty([FMA_GROUPS * LANES, 4])
  const fma = await best(runtime, effort, CHAINS.map(fmaKernel), [results])
  const bytes = Math.min(COPY_BYTES, runtime.memory.maxBindingBytes)
  const source = runtime.zeros([bytes / 16, 4])
  const target = runtime.empty([bytes / 16, 4])
  const copies = VECTORS_PER_LANE.map((count) => copyKernel(bytes / 16, count))
  const copy = await best(runtime, effort, copies, [source, target])
  for (const tensor of [results, source, target]) tensor.dispose()
  runtime.memory.trim()
  return { fmaGflops: fma.flops, copyGBs: copy.bytes }
}

interface Rates {
  readonly flops: number
  readonly bytes: number
}

/** The highest rates that any of the kernels reaches in its fastest round, in billions a second. */
async function best(
  runtime: Runtime,
  effort: Effort,
  kernels: readonly Kernel[],
  tensors: readonly Tensor[],
): Promise<Rates> {
  let highest: Rates = { flops: 0, bytes: 0 }
  for (const kernel of kernels) {
    const times = await timeWork(runtime, () => runtime.dispatch(kernel, tensors), effort)
    const nanoseconds = 1e6 * Math.min(...times)
    highest = {
      flops: Math.max(highest.flops, kernel.cost.flops / nanoseconds),
      bytes: Math.max(highest.bytes, kernel.cost.bytes / nanoseconds),
    }
  }
  return highest
}

/** sum ← sum·factor + term, over and over, in `chains` vec4 that do not depend on each other. */
function fmaKernel(chains: number): Kernel {
  const each = (line: (i: number) => string) => Array.from({ length: chains }, (_, i) => line(i)).join('\n')
  return {
    name: 'ceiling.fma',
    key: `ceiling.fma ${chains}`,
    bindings: ['write'],
    params: [FMA_TURNS],
    workgroups: [FMA_GROUPS, 1, 1],
    cost: { flops: FMA_GROUPS * LANES * FMA_TURNS * chains * 8, bytes: 0 },
    code: () => `
@group(0) @binding(0) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(1) var<uniform> turns: vec4u;

@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u) {
  // Not known when the shader is compiled, and such that sums stay finite.
  let factor = vec4f(1.0 / f32(id.x + 2u));
  let term = vec4f(f32(id.x & 7u));
  ${each((i) => `var sum${i} = vec4f(${i}.0);`)}
  for (var turn = 0u; turn < turns.x; turn++) {
    ${each((i) => `sum${i} = fma(sum${i}, factor, term);`)}
  }
  result[id.x] = ${Array.from({ length: chains }, (_, i) => `sum${i}`).join(' + ')};
}`,
  }
}

/** target ← source. Neighboring lanes move neighboring vectors; a lane moves several, a workgroup apart. */
function copyKernel(vectors: number, perLane: number): Kernel {
  return {
    name: 'ceiling.copy',
    key: `ceiling.copy ${perLane}`,
    bindings: ['read', 'write'],
    params: [vectors],
    workgroups: flatGrid(Math.ceil(vectors / perLane), LANES),
    cost: { flops: 0, bytes: 32 * vectors },
    code: () => `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> destination: array<vec4f>;
@group(0) @binding(2) var<uniform> vectors: vec4u;
${flatWorkgroupWgsl}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = flatWorkgroup(group, groups) * ${LANES * perLane}u + lane;
  for (var i = 0u; i < ${perLane}u; i++) {
    let at = first + i * ${LANES}u;
    if (at < vectors.x) { destination[at] = source[at]; }
  }
}`,
  }
}

/**
 * Kernels that treat every element alike: GELU and its derivative, sums, scalings, the drop-path residual.
 *
 * Mapping  one invocation per value; a value is four elements (`vec4f`) where the size divides by 4, else one.
 *          Registers only. All of them are bound by memory speed except GELU.
 * Numerics f32 throughout; GELU is the exact one (see erf.ts), not the tanh approximation.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { erfWgsl } from './erf.js'
import { type Access, f32, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'

const workgroupSize = 64

/** gelu(x) = x·Φ(x). Bindings: x, y; `size` elements each. */
export function geluForward(_caps: KernelCaps, size: number): Kernel {
  const vector = size % 4 === 0
  return elementwise({
    name: 'geluForward',
    size,
    vector,
    buffers: ['x', 'y'],
    prelude: erfWgsl,
    statement: `let v = x[index]; y[index] = ${perComponent('geluExact', vector)};`,
    flopsPerElement: 30,
  })
}

/** dx = dy·gelu′(x). Bindings: x (the input of gelu), dy, dx; `size` elements each. */
export function geluBackward(_caps: KernelCaps, size: number): Kernel {
  const vector = size % 4 === 0
  return elementwise({
    name: 'geluBackward',
    size,
    vector,
    buffers: ['x', 'dy', 'dx'],
    prelude: erfWgsl,
    statement: `let v = x[index]; dx[index] = dy[index] * ${perComponent('geluDerivative', vector)};`,
    flopsPerElement: 37,
  })
}

/** sum = a + b. Bindings: a, b, sum. */
export function addForward(_caps: KernelCaps, size: number): Kernel {
  return elementwise({
    name: 'add',
    size,
    buffers: ['a', 'b', 'sum'],
    statement: 'sum[index] = a[index] + b[index];',
    flopsPerElement: 1,
  })
}

/** total += x, in place. Bindings: total (read and written), x. */
export function addInto(_caps: KernelCaps, size: number): Kernel {
  return elementwise({
    name: 'addInto',
    size,
    buffers: ['total', 'x'],
    access: ['write', 'read'],
    statement: 'total[index] += x[index];',
    flopsPerElement: 1,
    bytesPerElement: 12,
  })
}

/** y = factor·x. The factor is fixed for the life of the pipeline cache: not for what changes by step. Bindings: x, y. */
export function scaleForward(_caps: KernelCaps, size: number, factor: number): Kernel {
  return elementwise({
    name: 'scale',
    size,
    buffers: ['x', 'y'],
    parameters: ['factor: f32'],
    values: [f32(factor)],
    statement: 'y[index] = params.factor * x[index];',
    flopsPerElement: 1,
  })
}

/** y = value everywhere. Bindings: y. */
export function fill(_caps: KernelCaps, size: number, value: number): Kernel {
  return elementwise({
    name: 'fill',
    size,
    buffers: ['y'],
    parameters: ['value: f32'],
    values: [f32(value)],
    statement: 'y[index] = VALUE(params.value);',
    flopsPerElement: 0,
  })
}

/**
 * Residual with drop path: y = x + keep[sample]·branch, `size / samples` consecutive elements a sample.
 * Bindings: x, branch, keep [samples], y.
 */
export function residualForward(_caps: KernelCaps, size: number, samples: number): Kernel {
  return perSample({
    name: 'residualForward',
    size,
    samples,
    buffers: ['x', 'branch', 'keep', 'y'],
    statement: 'y[index] = x[index] + keep[index / params.perSample] * branch[index];',
    flopsPerElement: 2,
    bytesPerElement: 12,
  })
}

/** Scales every sample by its own factor: y = keep[sample]·x. Bindings: x, keep [samples], y. */
export function scaleSamples(_caps: KernelCaps, size: number, samples: number): Kernel {
  return perSample({
    name: 'scaleSamples',
    size,
    samples,
    buffers: ['x', 'keep', 'y'],
    statement: 'y[index] = keep[index / params.perSample] * x[index];',
    flopsPerElement: 1,
    bytesPerElement: 8,
  })
}

interface Elementwise {
  readonly name: string
  readonly size: number
  /** Names of the bound arrays; the last is written unless `access` says otherwise. */
  readonly buffers: readonly string[]
  /** WGSL for the value at `index`; `VALUE` stands for the value type. */
  readonly statement: string
  readonly flopsPerElement: number
  readonly bytesPerElement?: number
  readonly vector?: boolean
  readonly access?: readonly Access[]
  readonly prelude?: string
  /** Further members of the uniform block and their words. */
  readonly parameters?: readonly string[]
  readonly values?: readonly number[]
}

function perSample(spec: Elementwise & { readonly samples: number }): Kernel {
  const sampleSize = spec.size / spec.samples
  const vector = sampleSize % 4 === 0
  return elementwise({
    ...spec,
    vector,
    parameters: ['perSample: u32'],
    values: [vector ? sampleSize / 4 : sampleSize],
  })
}

function elementwise(spec: Elementwise): Kernel {
  const { name, size, vector = size % 4 === 0, buffers } = spec
  const width = vector ? 4 : 1
  const access = spec.access ?? buffers.map((_, i) => (i === buffers.length - 1 ? 'write' : 'read'))
  return {
    name: vector ? `${name}.vec4` : name,
    key: `${name}/${width}`,
    bindings: access,
    params: [size / width, ...(spec.values ?? [])],
    workgroups: flatGrid(size / width, workgroupSize),
    cost: { flops: size * spec.flopsPerElement, bytes: size * (spec.bytesPerElement ?? 4 * buffers.length) },
    code: () => elementwiseCode(spec, access, vector ? 'vec4f' : 'f32'),
  }
}

function elementwiseCode(spec: Elementwise, access: readonly Access[], value: 'vec4f' | 'f32'): string {
  const declarations = spec.buffers.map((buffer, i) => {
    const mode = access[i] === 'write' ? 'read_write' : 'read'
    // Factors per sample are single numbers, whatever the width of the values.
    const type = buffer === 'keep' ? 'f32' : value
    return `@group(0) @binding(${i}) var<storage, ${mode}> ${buffer}: array<${type}>;`
  })
  return wgsl`
struct Params {
  values: u32,
  ${(spec.parameters ?? []).map((parameter) => `${parameter},`).join('\n  ')}
}

${declarations.join('\n')}
@group(0) @binding(${spec.buffers.length}) var<uniform> params: Params;

${flatWorkgroupWgsl}
${spec.prelude ?? ''}

@compute @workgroup_size(${workgroupSize})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = flatWorkgroup(workgroup, workgroups) * ${workgroupSize}u + lane;
  if (index >= params.values) { return; }
  ${spec.statement.replaceAll('VALUE', value)}
}
`
}

/** Applies a scalar WGSL function to the value `v`, component by component. */
function perComponent(fn: string, vector: boolean): string {
  return vector ? `vec4f(${fn}(v.x), ${fn}(v.y), ${fn}(v.z), ${fn}(v.w))` : `${fn}(v)`
}

/**
 * The common frame of kernels that make every output value on its own: element-wise maths, copies, gathers.
 *
 * A value is four elements (`vec4f`) where the row width allows it, else one. A workgroup owns a run of
 * consecutive values and its lanes stride through it, so neighbours touch neighbouring memory. On a GPU the
 * run is one value a lane; on a CPU driver, where starting a workgroup costs about as much as 64 values, it
 * is up to 64 a lane (lavapipe, measured: a sum of 835,584 elements takes 2.4 ms with runs of 1 and 0.8 ms
 * with runs of 64).
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import {
  type Access,
  type Cost,
  flatGrid,
  flatWorkgroupWgsl,
  type Kernel,
  type KernelCaps,
} from './kernel.js'

const workgroupSize = 64

/** Runs of this many workgroups at least keep every core of a CPU driver busy. */
const softwareWorkgroups = 8
const softwareValuesPerLane = 64

export interface PerValueKernel {
  readonly name: string
  /** What else the text depends on besides the name and the width: goes into the key. */
  readonly variant?: string
  /** Number of values to make; the statement runs once for every `index` below it. */
  readonly values: number
  /** Elements per value: 4 binds `vec4f` arrays, 1 `f32` arrays. */
  readonly width: 1 | 4
  readonly buffers: readonly Binding[]
  /** Members of the uniform block: WGSL declaration and word, in order. */
  readonly parameters?: readonly (readonly [declaration: string, word: number])[]
  /** `enable` directives, which must come first. */
  readonly extensions?: string
  /** WGSL functions that the statement calls. */
  readonly prelude?: string
  /** WGSL that makes the value at `index`. `Value` is its type. */
  readonly statement: string
  readonly cost: Cost
}

export interface Binding {
  readonly name: string
  readonly access: Access
  /** Element type where it is not `Value`. */
  readonly type?: 'f32' | 'u32' | 'f16' | 'vec4<f32>' | 'vec4<f16>'
}

export const readOnly = (name: string): Binding => ({ name, access: 'read' })
export const writable = (name: string): Binding => ({ name, access: 'write' })

/** 4 where all counts divide by 4 (so that rows can be read as `vec4f`), else 1. */
export function valueWidth(...counts: readonly number[]): 1 | 4 {
  return counts.every((count) => count % 4 === 0) ? 4 : 1
}

export function perValueKernel(caps: KernelCaps, spec: PerValueKernel): Kernel {
  const { name, values, width, buffers, parameters = [] } = spec
  const perLane = caps.software ? softwareRun(values) : 1
  const run = workgroupSize * perLane
  return {
    name: width === 4 ? `${name}.vec4` : name,
    key: [name, spec.variant, width].filter((part) => part !== undefined).join('/'),
    bindings: buffers.map((buffer) => buffer.access),
    params: [values, run, ...parameters.map(([, word]) => word)],
    workgroups: flatGrid(values, run),
    cost: spec.cost,
    code: () => perValueCode(spec),
  }
}

function softwareRun(values: number): number {
  const perLane = Math.ceil(values / (workgroupSize * softwareWorkgroups))
  return Math.min(Math.max(perLane, 1), softwareValuesPerLane)
}

function perValueCode(spec: PerValueKernel): string {
  const { width, buffers, parameters = [], extensions = '', prelude = '', statement } = spec
  const value = width === 4 ? 'vec4f' : 'f32'
  const declarations = buffers.map(({ name, access, type }, i) => {
    const mode = access === 'write' ? 'read_write' : 'read'
    return `@group(0) @binding(${i}) var<storage, ${mode}> ${name}: array<${type ?? 'Value'}>;`
  })
  return wgsl`
${extensions}
alias Value = ${value};

struct Params {
  values: u32,
  // Values that one workgroup makes.
  run: u32,
  ${parameters.map(([declaration]) => `${declaration},`).join('\n  ')}
}

${declarations.join('\n')}
@group(0) @binding(${buffers.length}) var<uniform> params: Params;

${flatWorkgroupWgsl}
${prelude}

@compute @workgroup_size(${workgroupSize})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = flatWorkgroup(workgroup, workgroups) * params.run;
  let end = min(first + params.run, params.values);
  for (var index = first + lane; index < end; index += ${workgroupSize}u) {
    ${statement}
  }
}
`
}

/**
 * The common frame of kernels that make every output value on its own: element-wise maths, copies, gathers.
 *
 * A value is four elements where the row width allows it, else one. A workgroup owns a run of
 * consecutive values and its lanes stride through it, so neighbours touch neighbouring memory. On a GPU the
 * run is one value a lane; on a CPU driver, where starting a workgroup costs about as much as 64 values, it
 * is up to 64 a lane (lavapipe, measured: a sum of 835,584 elements takes 2.4 ms with runs of 1 and 0.8 ms
 * with runs of 64).
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import {
  type Access,
  type Cost,
  entryArguments,
  flatGrid,
  flatWorkgroupWgsl,
  type Kernel,
  type KernelCaps,
} from './kernel.js'
import { type StoredType, storedSuffix, storedWgsl } from './stored.js'

const WORKGROUP_SIZE = 64

/** Runs of this many workgroups at least keep every core of a CPU driver busy. */
const SOFTWARE_WORKGROUPS = 8
const SOFTWARE_VALUES_PER_LANE = 64

export interface PerValueKernel {
  readonly name: string
  /** What else the text depends on besides the name and the width: goes into the key. */
  readonly variant?: string
  /** Number of values to make; the statement runs once for every `index` below it. */
  readonly values: number
  /** Elements per value: 4 binds arrays of four-vectors, 1 arrays of numbers. */
  readonly width: 1 | 4
  /** How the arrays lie in memory, but for those that say otherwise. */
  readonly stored: StoredType
  readonly buffers: readonly Binding[]
  /** Members of the uniform block: WGSL declaration and word, in order. */
  readonly parameters?: readonly (readonly [declaration: string, word: number])[]
  /** WGSL functions that the statement calls. */
  readonly prelude?: string
  /**
   * WGSL that makes the value at `index`. `Value` is the type of arithmetic (`vec4f` or `f32`), `Held` that
   * of the arrays: loads read `Value(x[index])`, stores `y[index] = Held(v)`. Plain copies need neither.
   */
  readonly statement: string
  readonly cost: Cost
}

export interface Binding {
  readonly name: string
  readonly access: Access
  /** Element type where it is not a value. */
  readonly type?: 'f32' | 'u32'
  /** Stored type where it is not that of the kernel. */
  readonly stored?: StoredType
}

export const readOnly = (name: string): Binding => ({ name, access: 'read' })
export const writable = (name: string): Binding => ({ name, access: 'write' })

/** 4 where all counts divide by 4 (so that rows can be read as `vec4f`), else 1. */
export function valueWidth(...counts: readonly number[]): 1 | 4 {
  return counts.every((count) => count % 4 === 0) ? 4 : 1
}

export function perValueKernel(caps: KernelCaps, spec: PerValueKernel): Kernel {
  const { name, values, width, buffers, parameters = [] } = spec
  const suffix = storedSuffix(spec.stored)
  const perLane = caps.software ? softwareRun(values) : 1
  const run = WORKGROUP_SIZE * perLane
  return {
    name: (width === 4 ? `${name}.vec4` : name) + suffix,
    key: [name, spec.variant, width].filter((part) => part !== undefined).join('/') + suffix,
    bindings: buffers.map((buffer) => buffer.access),
    params: [values, run, ...parameters.map(([, word]) => word)],
    workgroups: flatGrid(values, run),
    cost: spec.cost,
    code: () => perValueCode(spec),
  }
}

function softwareRun(values: number): number {
  const perLane = Math.ceil(values / (WORKGROUP_SIZE * SOFTWARE_WORKGROUPS))
  return Math.min(Math.max(perLane, 1), SOFTWARE_VALUES_PER_LANE)
}

function perValueCode(spec: PerValueKernel): string {
  const { width, stored, buffers, parameters = [], prelude = '', statement } = spec
  const declarations = buffers.map((buffer, i) => {
    const mode = buffer.access === 'write' ? 'read_write' : 'read'
    return `@group(0) @binding(${i}) var<storage, ${mode}> ${buffer.name}: array<${elementType(buffer, width)}>;`
  })
  return wgsl`
${storedWgsl(stored)}
alias Value = ${width === 4 ? 'vec4f' : 'f32'};
alias Held = ${width === 4 ? 'Stored4' : 'Stored'};

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

@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let first = flatWorkgroup(workgroup, workgroups) * params.run;
  let end = min(first + params.run, params.values);
  for (var index = first + lane; index < end; index += ${WORKGROUP_SIZE}u) {
    ${statement}
  }
}
`
}

function elementType({ type, stored }: Binding, width: 1 | 4): string {
  if (type) return type
  if (!stored) return 'Held'
  return width === 4 ? `vec4<${stored}>` : stored
}

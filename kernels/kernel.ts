/**
 * What a kernel is: WGSL text with its bindings, its grid and its cost. Everything above this floor
 * sees kernels only through this interface; nothing here knows tensors or devices.
 */

/**
 * How the shader declares a storage buffer: `read` = `var<storage, read>`, `write` = `var<storage,
 * read_write>`.
 */
export type Access = 'read' | 'write'

/** Work counted by hand: floating-point operations, and bytes that must cross memory at least once. */
export interface Cost {
  readonly flops: number
  readonly bytes: number
}

/**
 * One specialised kernel, ready to dispatch.
 *
 * Bindings are `@group(0)`: the storage buffers are `@binding(0)…(n-1)` in the order of `bindings`; the
 * uniform block with `params`, if there are any, is `@binding(n)`. The entry point is `main`.
 * Per-step scalars (learning rate, step, seed) are storage buffers, never `params`: params are cached for
 * ever.
 */
export interface Kernel {
  /** Family and variant, e.g. `matmulNT.tiled`: label in profiles and errors. */
  readonly name: string
  /** Identifies the WGSL text: two kernels with the same key have the same code. */
  readonly key: string
  readonly bindings: readonly Access[]
  /** 32-bit words of the uniform block: integers as they are, floats by `f32()`. At most 64 words. */
  readonly params: readonly number[]
  readonly workgroups: readonly [number, number, number]
  readonly cost: Cost
  /** Builds the text; called once per key. */
  readonly code: () => string
}

/** What kernel selection may depend on; filled by the engine from the adapter, once. */
export interface KernelCaps {
  /**
   * A CPU behind the adapter (lavapipe, SwiftShader, WARP): prefer register blocking, no workgroup memory.
   */
  readonly software: boolean
  readonly maxWorkgroupsPerDimension: number
  /** Subgroups, and how many invocations they can have here: 4 to 128, and not the same in every pipeline. */
  readonly subgroups?: boolean
  readonly subgroupMinSize?: number
  readonly subgroupMaxSize?: number
  /** `@subgroup_size` can pin a pipeline to one size. */
  readonly subgroupSizeControl?: boolean
  /** Shapes of the matrix units; empty unless asked for when the runtime was opened. */
  readonly subgroupMatrixConfigs?: readonly SubgroupMatrixConfig[]
}

/** One product that the matrix units of an adapter do: M×K by K×N, summed up in `resultType`. */
export interface SubgroupMatrixConfig {
  readonly componentType: string
  readonly resultType: string
  readonly M: number
  readonly N: number
  readonly K: number
}

const floatBits = new DataView(new ArrayBuffer(4))

/** Bit pattern of a 32-bit float, for `Kernel.params`. */
export function f32(value: number): number {
  floatBits.setFloat32(0, value, true)
  return floatBits.getUint32(0, true)
}

/**
 * Grid for `items` independent invocations, folded into two dimensions where one would pass the limit of
 * 65,535 workgroups. The shader gets its flat index from `flatIndex` and must guard `index < items`.
 */
export function flatGrid(items: number, workgroupSize: number): readonly [number, number, number] {
  const groups = Math.max(1, Math.ceil(items / workgroupSize))
  if (groups <= 65535) return [groups, 1, 1]
  const y = Math.ceil(groups / 65535)
  return [Math.ceil(groups / y), y, 1]
}

/**
 * WGSL: the arguments of an entry point that finds its place by `flatWorkgroup(workgroup, workgroups)` and
 * `lane`.
 */
export const entryArguments = /* wgsl */ `
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
`

/** WGSL: flat workgroup number of a (folded) grid; multiply by the workgroup size for `flatIndex`. */
export const flatWorkgroupWgsl = /* wgsl */ `
fn flatWorkgroup(workgroup: vec3u, workgroups: vec3u) -> u32 {
  return workgroup.y * workgroups.x + workgroup.x;
}
`

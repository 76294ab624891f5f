/**
 * Change of the stored type: f32 → f16 (rounds to nearest even) or f16 → f32 (exact).
 *
 * Mapping  as perValue.ts: a value is four elements where the count divides by 4, else one.
 */
import type { Kernel, KernelCaps } from './kernel.js'
import { perValueKernel, valueWidth } from './perValue.js'
import { type StoredType, storedBytes } from './stored.js'

/** Bindings: x [size] of the other type, y [size] of type `to`. */
export function castKernel(caps: KernelCaps, size: number, to: StoredType): Kernel {
  const width = valueWidth(size)
  const from = to === 'f16' ? 'f32' : 'f16'
  const typed = (type: StoredType) => (width === 4 ? (`vec4<${type}>` as const) : type)
  return perValueKernel(caps, {
    name: `cast.${to}`,
    values: size / width,
    width,
    extensions: 'enable f16;',
    buffers: [
      { name: 'x', access: 'read', type: typed(from) },
      { name: 'y', access: 'write', type: typed(to) },
    ],
    statement: `y[index] = ${typed(to)}(x[index]);`,
    cost: { flops: 0, bytes: (storedBytes(from) + storedBytes(to)) * size },
  })
}

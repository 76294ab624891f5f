/**
 * Change of the stored type: f32 → f16 (rounds to nearest even) or f16 → f32 (exact).
 *
 * Mapping  as perValue.ts: a value is four elements where the count divides by 4, else one.
 */
import type { Kernel, KernelCaps } from './kernel.js'
import { perValueKernel, readOnly, valueWidth, writable } from './perValue.js'
import { type StoredType, storedBytes } from './stored.js'

/** Bindings: x [size] of the other type, y [size] of type `to`. */
export function castKernel(caps: KernelCaps, size: number, to: StoredType): Kernel {
  const width = valueWidth(size)
  const from = to === 'f16' ? 'f32' : 'f16'
  return perValueKernel(caps, {
    name: `cast.${to}`,
    values: size / width,
    width,
    // Names f16 in either direction: that is what makes the text ask for the extension.
    stored: 'f16',
    buffers: [
      { ...readOnly('x'), stored: from },
      { ...writable('y'), stored: to },
    ],
    statement: `y[index] = ${to === 'f16' ? 'Held' : 'Value'}(x[index]);`,
    cost: { flops: 0, bytes: (storedBytes(from) + storedBytes(to)) * size },
  })
}

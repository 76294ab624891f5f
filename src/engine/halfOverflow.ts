import { cast } from './ops/cast.js'
import type { Runtime } from './runtime.js'

/**
 * Whether a number beyond the f16 range becomes infinity when it is stored as f16. WGSL allows a device to store the
 * largest f16 number instead, which would hide overflowing gradients from loss scaling. Requires `caps.f16`.
 */
export async function halvesOverflow(runtime: Runtime): Promise<boolean> {
  const large = runtime.tensor([1e6, -1e6], [2])
  const halves = cast(large, 'f16')
  const values = await halves.read()
  halves.dispose()
  large.dispose()
  return values[0] === Number.POSITIVE_INFINITY && values[1] === Number.NEGATIVE_INFINITY
}

import { cast } from './ops/cast.js'
import type { Runtime } from './runtime.js'

/**
 * Whether a number beyond the largest half becomes infinity when it is stored as f16. WGSL lets a device give
 * the largest half instead; loss scaling would not notice gradients that overflow there. Wants `caps.f16`.
 */
export async function halvesOverflow(runtime: Runtime): Promise<boolean> {
  const large = runtime.tensor([1e6, -1e6], [2])
  const halves = cast(large, 'f16')
  const values = await halves.read()
  halves.dispose()
  large.dispose()
  return values[0] === Number.POSITIVE_INFINITY && values[1] === Number.NEGATIVE_INFINITY
}

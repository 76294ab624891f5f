import type { AttentionPlan, AttentionShape, AttentionVariant } from './attention.js'
import { subgroupPlan } from './attentionSubgroup.js'
import { tiledPlan } from './attentionTiled.js'
import type { KernelCaps } from './kernel.js'
import type { StoredType } from './stored.js'

/** The layout of a kernel of `variant` that keeps `sums` sums per row. */
export function attentionPlan(
  caps: KernelCaps,
  shape: AttentionShape,
  variant: AttentionVariant,
  sums: number,
  stored: StoredType,
): AttentionPlan {
  return variant === 'subgroup' ? subgroupPlan(caps, shape, sums, stored) : tiledPlan(shape, stored)
}

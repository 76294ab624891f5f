import type { OpCase, Tolerances } from '../opCase.js'
import { blockCases } from './blocks.js'
import { lossCases } from './losses.js'
import { productCases } from './products.js'
import { tokenCases } from './tokens.js'

/** Every op of the engine, each in at least six shapes. */
const opCases: readonly OpCase[] = [...productCases, ...blockCases, ...tokenCases, ...lossCases]

/** The cases by op, in the order above. */
export function casesByOp(): Map<string, OpCase[]> {
  const groups = new Map<string, OpCase[]>()
  for (const opCase of opCases) groups.set(opCase.op, [...(groups.get(opCase.op) ?? []), opCase])
  return groups
}

/** Ops that only move or order values are exact. */
export const opTolerances: Tolerances = {
  patchify: 0,
  unpatchify: 0,
  gatherRows: 0,
  sliceTokens: 0,
  argsortRows: 0,
  randomMasking: 0,
}

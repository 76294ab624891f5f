import type { OpCase, Tolerances } from '../opCase.js'
import {
  addCases,
  attentionCases,
  geluCases,
  gradientReversalCases,
  layerNormCases,
  residualCases,
  scaleCases,
} from './blocks.js'
import {
  bceWithLogitsCases,
  maskedPatchLossCases,
  orderingCases,
  softmaxCrossEntropyCases,
} from './losses.js'
import { linearCases, matmulCases } from './products.js'
import {
  addPositionAtCases,
  addPositionCases,
  concatTokensCases,
  gatherRowsCases,
  meanTokensCases,
  patchifyCases,
  sliceTokensCases,
} from './tokens.js'

/** Every op of the engine, each in at least six shapes. */
const opCases: readonly OpCase[] = [
  ...matmulCases,
  ...linearCases,
  ...attentionCases,
  ...layerNormCases,
  ...geluCases,
  ...addCases,
  ...scaleCases,
  ...residualCases,
  ...gradientReversalCases,
  ...addPositionCases,
  ...addPositionAtCases,
  ...patchifyCases,
  ...gatherRowsCases,
  ...concatTokensCases,
  ...sliceTokensCases,
  ...meanTokensCases,
  ...bceWithLogitsCases,
  ...softmaxCrossEntropyCases,
  ...maskedPatchLossCases,
  ...orderingCases,
]

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

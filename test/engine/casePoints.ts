import { opTolerances } from '../../src/verify/cases/all.js'
import type { Check } from '../../src/verify/check.js'
import type { OpCase } from '../../src/verify/opCase.js'
import type { KernelVariant } from '../../src/verify/poisonedRuntime.js'
import { casesOn, prepareCase, runCase } from '../../src/verify/runOpCase.js'

// What is asserted of ops and models, in Node and in a browser alike.

/** One comparison with its verdict. */
export interface Point {
  readonly ok: boolean
  readonly name: string
}

const OP_TOLERANCE = 1e-5
const MODEL_TOLERANCE = 1e-4

/** Forward and gradients of an op's cases against float64, on one family of kernels. */
export async function* opPoints(variant: KernelVariant, cases: readonly OpCase[]): AsyncGenerator<Point> {
  for (const opCase of casesOn(variant, cases)) {
    const allowed = opTolerances[opCase.op] ?? OP_TOLERANCE
    const { forward, gradient } = await runCase(variant.runtime, prepareCase(opCase))
    const name = `${variant.name}, ${opCase.label}`
    yield { ok: forward <= allowed, name: `${name}: forward ${forward}` }
    if (gradient !== null) yield { ok: gradient <= allowed, name: `${name}: gradient ${gradient}` }
  }
}

export function checkPoint({ group, what, error, tolerance }: Check): Point {
  return { ok: error <= (tolerance ?? MODEL_TOLERANCE), name: `${group}: ${what}: ${error}` }
}

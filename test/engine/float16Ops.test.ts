import t, { type Test } from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { fromHalf, toHalf } from '../../src/engine/float16.js'
import { add } from '../../src/engine/ops/add.js'
import { patchify } from '../../src/engine/ops/patchify.js'
import { casesByOp } from '../../src/verify/cases/all.js'
import { concatTokensCases } from '../../src/verify/cases/tokens.js'
import type { CaseInput, OpCase } from '../../src/verify/opCase.js'
import { kernelVariants } from '../../src/verify/poisonedRuntime.js'
import { casesOn, prepareCase, runCase } from '../../src/verify/runOpCase.js'

// The op cases over f16 activations: forward and gradients against float64 on the same rounded inputs, on
// both families of kernels, outputs poisoned. Parameters, statistics and losses stay f32.

/**
 * Half of f16's last place is 2^-11; gradients come from rounded upstream gradients and may be rounded once
 * more.
 */
const TOLERANCE = 1e-3
const OP_TOLERANCES: Readonly<Record<string, number>> = {
  // A sum over sums that were rounded.
  attention: 2e-3,
  // The slope of the GELU is taken at a sum that was rounded.
  'linear + gelu': 4e-3,
}

const runtime = await openDevice()
t.teardown(() => runtime.close())
const skip = runtime.caps.f16 ? false : 'this adapter has no shader-f16'
const variants = runtime.caps.f16 ? kernelVariants(runtime) : []

function halved(input: CaseInput): CaseInput {
  const values: CaseInput['values'] = (random, count) =>
    Float32Array.from(input.values(random, count), (value) => fromHalf(toHalf(value)))
  return { ...input, dtype: 'f16', values }
}

/** The case in mixed precision; null if none of its inputs is an activation. */
function inHalf(opCase: OpCase, isHalf = ({ activation }: CaseInput) => activation): OpCase | null {
  if (!opCase.inputs.some(isHalf)) return null
  return { ...opCase, inputs: opCase.inputs.map((input) => (isHalf(input) ? halved(input) : input)) }
}

async function check(t: Test, cases: readonly OpCase[]): Promise<void> {
  for (const variant of variants) {
    for (const opCase of casesOn(variant, cases)) {
      const tolerance = OP_TOLERANCES[opCase.op] ?? TOLERANCE
      const { forward, gradient } = await runCase(variant.runtime, prepareCase(opCase))
      t.ok(forward <= tolerance, `${variant.name}, ${opCase.label}: forward ${forward}`)
      if (gradient !== null)
        t.ok(gradient <= tolerance, `${variant.name}, ${opCase.label}: gradient ${gradient}`)
    }
  }
}

for (const [op, cases] of casesByOp()) {
  const twins = cases.map((opCase) => inHalf(opCase)).filter((twin) => twin !== null)
  if (twins.length > 0) t.test(op, { skip }, (t) => check(t, twins))
}

t.test('an f32 token among f16 activations: its gradient is f32', { skip }, async (t) => {
  for (const name of ['a', 'b']) {
    const only = (input: CaseInput) => input.activation && input.name === name
    const twins = concatTokensCases.map((opCase) => inHalf(opCase, only)).filter((twin) => twin !== null)
    t.ok(twins.length > 1)
    await check(t, twins)
  }
})

t.test('images are cut into f16 patches: the same numbers, rounded', { skip }, async (t) => {
  const values = Float32Array.from({ length: 2 * 3 * 8 * 8 }, (_, i) => Math.sin(i))
  for (const { runtime, name } of variants) {
    const images = runtime.tensor(values, [2, 3, 8, 8])
    for (const order of ['chw', 'hwc'] as const) {
      const exact = await patchify(images, 4, order).read()
      const half = await patchify(images, 4, order, 'f16').read()
      t.same(
        half,
        exact.map((value) => fromHalf(toHalf(value))),
        `${name}, ${order}`,
      )
    }
  }
})

t.test('f32 and f16 do not mix silently', { skip }, async (t) => {
  const [a, b] = [runtime.zeros([2, 3]), runtime.zeros([2, 3], 'f16')]
  t.throws(() => add(a, b), { message: 'add: a is [2,3], b is f16 [2,3]; the types must be equal' })
})

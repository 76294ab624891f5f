import t, { type Test } from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { fromHalf, toHalf } from '../../src/engine/float16.js'
import { add } from '../../src/engine/ops/add.js'
import { casesByOp } from '../../src/verify/cases/all.js'
import type { CaseInput, OpCase } from '../../src/verify/opCase.js'
import { kernelVariants } from '../../src/verify/poisonedRuntime.js'
import { casesOn, prepareCase, runCase } from '../../src/verify/runOpCase.js'

// Ops over f16 activations: forward and gradients against float64 on the same rounded inputs, on both families of kernels, outputs
// poisoned. Parameters, statistics and losses stay f32.

/** Half of f16's last place is 2^-11; gradients come from rounded upstream gradients and may be rounded once more. */
const TOLERANCE = 1e-3

/** Inputs of each op that are activations. */
const activations: Readonly<Record<string, readonly string[]>> = {
  add: ['a', 'b'],
  addPosition: ['x'],
  addPositionAt: ['x'],
  concatTokens: ['a', 'b'],
  gatherRows: ['x'],
  gelu: ['x'],
  layerNorm: ['x'],
  maskedPatchLoss: ['pred'],
  meanTokens: ['x'],
  residual: ['x', 'branch'],
  'residual + drop path': ['x', 'branch'],
  scale: ['x'],
  sliceTokens: ['x'],
  unpatchify: ['patches'],
}

const runtime = await openDevice()
t.teardown(() => runtime.close())
const skip = runtime.caps.f16 ? false : 'this adapter has no shader-f16'

function halved(input: CaseInput): CaseInput {
  const values: CaseInput['values'] = (random, count) =>
    Float32Array.from(input.values(random, count), (value) => fromHalf(toHalf(value)))
  return { ...input, dtype: 'f16', values }
}

function inHalf(opCase: OpCase, names: readonly string[]): OpCase {
  return {
    ...opCase,
    inputs: opCase.inputs.map((input) =>
      names.includes(input.name) && usedOnce(opCase, input.name) ? halved(input) : input,
    ),
  }
}

const variants = runtime.caps.f16 ? kernelVariants(runtime) : []
const byOp = casesByOp()

/** Whether an operand is used once: one that serves many samples or places must be f32. */
function usedOnce({ op, label, inputs }: OpCase, name: string): boolean {
  if (op !== 'concatTokens') return true
  const batches = inputs.map(({ shape }) => shape[0])
  return batches[0] === batches[1] && (name === 'a' || label.includes(' and 1 of '))
}

async function check(t: Test, cases: readonly OpCase[]): Promise<void> {
  for (const variant of variants) {
    for (const opCase of casesOn(variant, cases)) {
      const { forward, gradient } = await runCase(variant.runtime, prepareCase(opCase))
      t.ok(forward <= TOLERANCE, `${variant.name}, ${opCase.label}: forward ${forward}`)
      if (gradient !== null)
        t.ok(gradient <= TOLERANCE, `${variant.name}, ${opCase.label}: gradient ${gradient}`)
    }
  }
}

for (const [op, names] of Object.entries(activations)) {
  t.test(op, { skip }, async (t) => {
    const cases = byOp.get(op)!
    t.ok(
      cases.every(({ inputs }) => names.every((name) => inputs.some((input) => input.name === name))),
      'the names are those of inputs',
    )
    await check(
      t,
      cases.map((opCase) => inHalf(opCase, names)),
    )
  })
}

t.test('an f32 token among f16 activations: its gradient is f32', { skip }, async (t) => {
  for (const name of ['a', 'b'])
    await check(
      t,
      byOp.get('concatTokens')!.map((opCase) => inHalf(opCase, [name])),
    )
})

t.test('f32 and f16 do not mix silently', { skip }, async (t) => {
  const [a, b] = [runtime.zeros([2, 3]), runtime.zeros([2, 3], 'f16')]
  t.throws(() => add(a, b), { message: 'add: a is [2,3], b is f16 [2,3]; the types must be equal' })
})

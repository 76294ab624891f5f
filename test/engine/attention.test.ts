import t, { type Test } from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { attention } from '../../src/engine/ops/attention.js'
import { type OpCase, variable } from '../../src/verify/opCase.js'
import { kernelVariants } from '../../src/verify/poisonedRuntime.js'
import { attentionReference } from '../../src/verify/reference/attention.js'
import { prepareCase, runCase } from '../../src/verify/runOpCase.js'

// Attention beyond the op cases: rows cut into pieces of 4, 2 and 1 in every way; on both families of
// kernels, outputs poisoned.

const runtime = await openDevice()
t.teardown(() => runtime.close())
const variants = kernelVariants(runtime)

async function check(t: Test, cases: readonly OpCase[], tolerance: number): Promise<void> {
  for (const { name, runtime } of variants) {
    for (const opCase of cases) {
      const { forward, gradient } = await runCase(runtime, prepareCase(opCase))
      t.ok(forward <= tolerance, `${name}, ${opCase.label}: forward ${forward}`)
      t.ok(gradient !== null && gradient <= tolerance, `${name}, ${opCase.label}: gradient ${gradient}`)
    }
  }
}

function attentionCase(batch: number, tokens: number, heads: number, headDim: number): OpCase {
  return {
    op: 'attention',
    label: `B ${batch}, T ${tokens}, ${heads} heads of ${headDim}`,
    inputs: [variable('qkv', [batch, tokens, 3 * heads * headDim])],
    run: (qkv) => attention(qkv, heads),
    reference: attentionReference(heads),
  }
}

t.test('head dims that leave lanes and pieces over', async (t) => {
  const odd = [6, 34, 51].map((headDim) => attentionCase(2, 19, 2, headDim))
  await check(t, odd, 1e-5)
})

t.test('token counts around every block size', async (t) => {
  const counts = [2, 7, 8, 9, 16, 18, 24, 25, 31, 33, 34, 35].map((tokens) => attentionCase(1, tokens, 1, 16))
  await check(t, counts, 1e-5)
})

t.test('the same input gives the same bits', async (t) => {
  const shape = [2, 65, 3 * 2 * 32]
  const values = Float32Array.from({ length: 2 * 65 * 192 }, (_, i) => Math.sin(i))
  for (const { name, runtime } of variants) {
    const run = () => attention(runtime.tensor(values, shape), 2).read()
    t.strictSame(await run(), await run(), name)
  }
})

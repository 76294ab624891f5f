import t from 'tap'
import { disagreement, disagreementPairs } from '../../kernels/disagreement.js'
import { openDevice } from '../../src/engine/device.js'
import { PhiloxStream } from '../../src/engine/random.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

/** (largest difference, sum of squares) as the kernel has it. */
async function measured(got: Float32Array, expected: Float32Array, dtype: 'f32' | 'f16') {
  const tensors = [got, expected].map((values) => runtime.tensor(values, [values.length], dtype))
  const pairs = runtime.empty([disagreementPairs(got.length), 2])
  runtime.dispatch(disagreement(runtime.caps, got.length, dtype), [...tensors, pairs])
  const numbers = [...(await pairs.read())]
  const largest = Math.max(...numbers.filter((_, i) => i % 2 === 0))
  const squares = numbers.filter((_, i) => i % 2 === 1).reduce((a, b) => a + b, 0)
  return { largest, squares }
}

const types = runtime.caps.f16 ? (['f32', 'f16'] as const) : (['f32'] as const)

for (const dtype of types) {
  t.test(`one element that differs is found wherever it is, in ${dtype}`, async (t) => {
    for (const size of [1, 63, 65, 100_001]) {
      const stream = new PhiloxStream(0, size)
      const expected = Float32Array.from({ length: size }, () => Math.round(8 * stream.normal()) / 8)
      const squares = expected.reduce((sum, value) => sum + value ** 2, 0)
      for (const at of new Set([0, size >> 1, size - 1])) {
        const got = expected.slice()
        got[at] += 0.5
        const found = await measured(got, expected, dtype)
        t.equal(found.largest, 0.5, `element ${at} of ${size}`)
        t.ok(Math.abs(found.squares - squares) <= 1e-5 * squares, `${found.squares} is ${squares}`)
      }
    }
  })

  t.test(`NaN and infinity are no agreement, in ${dtype}`, async (t) => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const got = new Float32Array(200)
      got[137] = bad
      t.ok((await measured(got, new Float32Array(200), dtype)).largest > 1e38, String(bad))
    }
  })
}

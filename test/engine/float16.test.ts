import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { fromHalf, fromHalves, toHalf } from '../../src/engine/float16.js'
import { halvesOverflow } from '../../src/engine/halfOverflow.js'
import { cast } from '../../src/engine/ops/cast.js'
import { PhiloxStream } from '../../src/engine/random.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())
const skip = runtime.caps.f16 ? false : 'this adapter has no shader-f16'

t.test('every half survives the way to f32 and back', async (t) => {
  for (let half = 0; half < 0x10000; half++) {
    const value = fromHalf(half)
    const back = toHalf(value)
    const same = Number.isNaN(value) ? Number.isNaN(fromHalf(back)) : back === half
    if (!same) t.fail(`0x${half.toString(16)} became 0x${back.toString(16)}`)
  }
  t.equal(fromHalf(0x3555), 1365 * 2 ** -12)
  const all = Uint16Array.from({ length: 0x10000 }, (_, half) => half)
  t.same(fromHalves(all), Float32Array.from(all, fromHalf))
})

t.test(
  'the host rounds to half as known values do: ties to even, overflow to infinity, subnormals',
  async (t) => {
    const known: [number, number][] = [
      [1, 0x3c00],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [65504, 0x7bff],
      [65519.99, 0x7bff],
      [65520, 0x7c00],
      [-65520, 0xfc00],
      [2 ** -24, 1],
      [2 ** -25, 0],
      [3 * 2 ** -25, 2],
      [2 ** -14 - 2 ** -26, 0x400],
    ]
    for (const [value, half] of known) t.equal(toHalf(value), half, String(value))
  },
)

t.test('the device rounds to half as the host does, whatever the count', { skip }, async (t) => {
  const random = new PhiloxStream(5, 1)
  for (const count of [1, 3, 4, 7, 1000]) {
    const values = Float32Array.from(
      { length: count },
      () => random.normal() * 10 ** (8 * random.uniform() - 5),
    )
    const half = cast(runtime.tensor(values, [count]), 'f16')
    const expected = values.map((value) => fromHalf(toHalf(value)))
    t.same(await half.read(), expected, `${count} values, f32 → f16`)
    t.same(await cast(half, 'f32').read(), expected, `${count} values, f16 → f32`)
    t.same(await runtime.tensor(values, [count], 'f16').read(), expected, `${count} values uploaded as f16`)
  }
})

t.test('this device stores what overflows as infinity, as loss scaling needs', { skip }, async (t) => {
  t.equal(await halvesOverflow(runtime), true)
})

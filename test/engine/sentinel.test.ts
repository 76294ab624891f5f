import t from 'tap'
import { withTape } from '../../src/engine/autograd.js'
import { openDevice } from '../../src/engine/device.js'
import { gelu } from '../../src/engine/ops/gelu.js'
import { scale } from '../../src/engine/ops/scale.js'
import { NonFiniteError } from '../../src/engine/sentinel.js'

const runtime = await openDevice({ debug: true })
t.teardown(() => runtime.close())
const sentinel = runtime.sentinel!
const skipF16 = runtime.caps.f16 ? false : 'this adapter has no shader-f16'

t.test('finite work passes', async (t) => {
  scale(runtime.tensor([1, 2, 3], [3]), 2)
  await t.resolves(sentinel.check())
})

t.test('the first op that made a NaN or an infinity is named, not those that it spoils after', async (t) => {
  const x = runtime.tensor([1, 3e38, 1, 1, 1], [5])
  gelu(scale(scale(scale(x, 0.5), 10), 0.1))
  const error = await sentinel.check().then(
    () => t.fail('it passed'),
    (reason: unknown) => reason,
  )
  t.type(error, NonFiniteError)
  t.match((error as Error).message, /scale → \[5\]/)
})

t.test('after a report it is armed again: clean work passes, and new damage is named', async (t) => {
  scale(runtime.tensor([1, 2], [2]), 2)
  await t.resolves(sentinel.check())
  gelu(runtime.tensor([Number.NaN, 2, 3, 4], [4]))
  await t.rejects(sentinel.check(), /gelu.* → \[4\]/)
})

t.test('in f16 an overflow is named too, wherever it stands', { skip: skipF16 }, async (t) => {
  for (const [count, at] of [
    [8, 2],
    [4, 2],
    [7, 3],
    [7, 6],
    [3, 2],
    [1, 0],
  ] as const) {
    const values = new Float32Array(count).fill(1)
    values[at] = 60000
    const x = runtime.tensor(values, [count], 'f16')
    scale(x, 1)
    await t.resolves(sentinel.check(), `${count} finite halves`)
    scale(x, -2)
    await t.rejects(sentinel.check(), /scale.*\.f16 → \[\d\]/, `${at} of ${count}`)
  }
})

t.test('with loss scaling only forward passes are looked at', async (t) => {
  sentinel.forwardOnly = true
  const x = runtime.tensor([3e38, 1], [2])
  scale(x, 10)
  await t.resolves(sentinel.check())
  withTape(runtime, () => scale(x, 10))
  await t.rejects(sentinel.check(), /scale/)
  sentinel.forwardOnly = false
})

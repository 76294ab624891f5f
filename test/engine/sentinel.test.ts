import t from 'tap'
import { openRuntime } from '../../src/engine/device.js'
import { gelu } from '../../src/engine/ops/gelu.js'
import { scale } from '../../src/engine/ops/scale.js'
import { NonFiniteError } from '../../src/engine/sentinel.js'

const runtime = await openRuntime({ debug: true })
t.teardown(() => runtime.close())
const sentinel = runtime.sentinel!

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

import t from 'tap'
import { openDevice } from '../../src/engine/device.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

t.test('uploads count as under way until something queued after them has been read', async (t) => {
  await runtime.finish()
  t.equal(runtime.uploadsUnderWay, 0)
  const first = runtime.tensor([1, 2, 3], [3])
  t.equal(runtime.uploadsUnderWay, 12)
  const reading = first.read()
  runtime.write(first, [4, 5, 6])
  t.same([...(await reading)], [1, 2, 3], 'a read takes the values of when it was asked for')
  t.equal(runtime.uploadsUnderWay, 12, 'the second upload came after what was read')
  await runtime.finish()
  t.equal(runtime.uploadsUnderWay, 0)
})

import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { Fmae } from '../../src/model/fmae.js'
import { presets } from '../../src/model/presets.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

t.test('a model that is owned gives all its device memory back', async (t) => {
  const before = runtime.memory.usage.bufferBytes
  const { made: model, release } = runtime.own(() => new Fmae(runtime, presets.nano, 0))
  const [weights] = model.parameters.parameters
  t.ok((await weights.read()).some((value) => value !== 0))
  t.ok(runtime.memory.usage.bufferBytes > before)
  const pooled = runtime.tensor([1, 2, 3], [3])
  release()
  runtime.memory.trim()
  t.equal(runtime.memory.usage.bufferBytes - before, 256, 'what is left is the tensor made after it')
  t.same([...(await pooled.read())], [1, 2, 3])
})

t.test('what was made before an error gives its memory back too', async (t) => {
  runtime.memory.trim()
  const before = runtime.memory.usage.bufferBytes
  const failing = () => {
    new Fmae(runtime, presets.nano, 0)
    throw new Error('too few images')
  }
  t.throws(() => runtime.own(failing), /too few images/)
  runtime.memory.trim()
  t.equal(runtime.memory.usage.bufferBytes, before)
  await t.resolves(runtime.finish(), 'the device goes on')
})

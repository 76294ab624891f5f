import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { reconstruct } from '../../src/train/reconstructions.js'
import { noiseLoader } from './noiseImages.js'
import { noisePretraining, tinyFmae } from './noiseRuns.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

t.test('pictures that are filled in again and again leave nothing behind', async (t) => {
  const { model } = noisePretraining(runtime, tinyFmae, { batchSize: 4 })
  const draw = () => reconstruct(runtime, model, noiseLoader(tinyFmae.imageSize), [0, 1, 2], 0)
  const first = await draw()
  // Freed buffers change places a few times until all kernels have met them.
  for (let i = 0; i < 12; i++) await draw()
  const { device, memory } = runtime
  const { bufferBytes } = memory.usage
  const createBindGroup = device.createBindGroup.bind(device)
  let made = 0
  device.createBindGroup = (descriptor) => {
    made++
    return createBindGroup(descriptor)
  }
  for (let i = 0; i < 3; i++) t.same(await draw(), first, 'the same masks, the same pictures')
  t.equal(made, 0, 'no bind group is new')
  t.equal(memory.usage.bufferBytes, bufferBytes)
})

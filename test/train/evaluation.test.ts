import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { largestClassifierActivation } from '../../src/model/largestActivation.js'
import { classify } from '../../src/train/loop/evaluation.js'
import { noiseIndices, noiseLoader } from './noiseImages.js'
import { noiseFineTuning, tinyClassifier } from './noiseRuns.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

t.test('a batch that no binding holds is evaluated in smaller ones', async (t) => {
  const { model } = noiseFineTuning(runtime, tinyClassifier, { batchSize: 2 })
  const loader = noiseLoader(tinyClassifier.imageSize)
  const outputs = () => classify(runtime, model, loader, noiseIndices, 64)
  const whole = await outputs()
  const memory = runtime.memory as { maxBindingBytes: number }
  const image = 4 * largestClassifierActivation(tinyClassifier)
  memory.maxBindingBytes = 5.5 * image
  const cut = await outputs()
  for (const name of ['auLogits', 'features'] as const) {
    const apart = cut[name].map((value, i) => Math.abs(value - whole[name][i]))
    t.ok(Math.max(...apart) < 1e-5, name)
  }
  memory.maxBindingBytes = image / 2
  await t.rejects(outputs(), { name: 'UserError', message: /one image needs a tensor of .* --image-size/ })
})

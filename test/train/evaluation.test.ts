import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { largestClassifierActivation } from '../../src/model/largestActivation.js'
import { classify } from '../../src/train/loop/evaluation.js'
import { noiseIndices, noiseLoader } from './noiseImages.js'
import { noiseFineTuning, tinyClassifier } from './noiseRuns.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

t.test('an output that is not a finite number is never scored: the image is named', async (t) => {
  for (const [name, value] of [
    ['blocks.0.mlp.fc1.weight', 3e38],
    ['head.bias', Number.POSITIVE_INFINITY],
  ] as const) {
    const { model } = noiseFineTuning(runtime, tinyClassifier, { batchSize: 2 })
    const weights = model.parameters.get(name)
    runtime.write(
      weights,
      Array.from({ length: weights.size }, (_, i) => (i % 3 === 0 ? value : -value)),
    )
    const loader = noiseLoader(tinyClassifier.imageSize)
    await t.rejects(classify(runtime, model, loader, noiseIndices, 4), {
      name: 'UserError',
      message: `${loader.set.describe(noiseIndices[0])}: the model's output is not a finite number; its weights are damaged or too large`,
    })
  }
})

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

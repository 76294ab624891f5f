import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { attentionMap } from '../../src/model/attentionMap.js'
import { AuClassifier } from '../../src/model/auClassifier.js'
import { Fmae } from '../../src/model/fmae.js'
import { tinyClassifier, tinyFmae } from '../../src/verify/fixtures.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

const fmae = new Fmae(runtime, tinyFmae, 0)
const classifier = new AuClassifier(runtime, tinyClassifier, 0)
const noise = runtime.zeros([2, 16])

/**
 * Smaller, larger, not square, not in colour, channels last, not a batch. All but the last two divide into
 * patches.
 */
const wrong: readonly (readonly number[])[] = [
  [2, 3, 16, 16],
  [2, 3, 64, 64],
  [2, 3, 32, 64],
  [2, 1, 32, 32],
  [2, 32, 32, 3],
  [3, 32, 32],
]

t.test('a model refuses images of another size than its own, by name', async (t) => {
  for (const shape of wrong) {
    const images = runtime.zeros(shape)
    const message = `images is [${shape}], expected [batch, 3, 32, 32]`
    const refusal = (model: string) => ({ name: 'ShapeError', message: `${model}: ${message}` })
    t.throws(() => fmae.forward(images, noise), refusal('Fmae'), `Fmae, [${shape}]`)
    t.throws(() => classifier.forward(images), refusal('AuClassifier'), `AuClassifier, [${shape}]`)
    await t.rejects(attentionMap(classifier, images), refusal('attentionMap'), `attentionMap, [${shape}]`)
  }
})

t.test('an empty batch is refused', async (t) => {
  const message = 'AuClassifier: images is [0,3,32,32], which has no elements'
  t.throws(() => classifier.forward(runtime.zeros([0, 3, 32, 32])), { message })
})

t.test('images of another type are refused', async (t) => {
  const images = runtime.zeros([2, 3, 32, 32], 'u32')
  t.throws(() => classifier.forward(images), {
    message: 'AuClassifier: images is u32 [2,3,32,32], expected [batch, 3, 32, 32]',
  })
})

t.test('the masked autoencoder refuses noise of another length or batch', async (t) => {
  const images = runtime.zeros([2, 3, 32, 32])
  for (const shape of [
    [2, 15],
    [1, 16],
    [2, 4, 4],
  ]) {
    const message = `Fmae: noise is [${shape}], expected f32 [2,16]`
    t.throws(() => fmae.forward(images, runtime.zeros(shape)), { name: 'ShapeError', message }, `[${shape}]`)
  }
})

t.test('any number of images of the right size is taken', async (t) => {
  for (const batch of [1, 3]) {
    const images = runtime.zeros([batch, 3, 32, 32])
    t.same(fmae.forward(images, runtime.zeros([batch, 16])).pred.shape, [batch, 16, 192])
    t.same(classifier.forward(images).auLogits.shape, [batch, 3])
  }
})

import t from 'tap'
import { backward, withTape } from '../../src/engine/autograd.js'
import { captureStep } from '../../src/engine/capturedStep.js'
import { openDevice } from '../../src/engine/device.js'
import { bceWithLogits } from '../../src/engine/ops/bceWithLogits.js'
import { DropPath } from '../../src/engine/randomState.js'
import { AuClassifier } from '../../src/model/auClassifier.js'
import type { ClassifierConfig } from '../../src/model/config.js'
import { fillParameters, fixtureImages, tinyClassifier } from '../../src/verify/fixtures.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

const images = runtime.tensor(fixtureImages(), [2, 3, 32, 32])
const subjects = runtime.zeros([2, tinyClassifier.subjects])

/** A step that trains the identity head alone, captured, and the gradient that it sends into the features. */
function identityStep(lambda: number) {
  const model = new AuClassifier(runtime, { ...tinyClassifier, lambda }, 0)
  fillParameters(runtime, model.parameters)
  const step = captureStep(runtime, () => {
    model.parameters.zeroGrad()
    const { result: loss, tape } = withTape(runtime, () =>
      bceWithLogits(model.forward(images).idLogits!, subjects),
    )
    backward(loss, tape, [loss])
    return [loss]
  })
  const gradient = async (name: string) => {
    step.run()
    return model.parameters.get(name).gradient!.read()
  }
  return { model, gradient }
}

t.test(
  'lambda is data: between replays of one captured step it scales the gradient by -lambda',
  async (t) => {
    const { model, gradient } = identityStep(1)
    const one = await gradient('fc_norm.weight')
    t.ok(one.some((value) => value !== 0))
    for (const lambda of [4, 0.5, 0]) {
      model.setLambda(lambda)
      // Powers of two: exact in f32.
      t.same(
        await gradient('fc_norm.weight'),
        one.map((value) => lambda * value),
        `lambda ${lambda}`,
      )
    }
    const head = await gradient('ID_head.weight')
    model.setLambda(3)
    t.same(await gradient('ID_head.weight'), head, 'the head itself learns the same at any lambda')
    t.same(await gradient('fc_norm.weight'), await identityStep(3).gradient('fc_norm.weight'))
  },
)

t.test('a field of a classifier that is out of range is refused by name', async (t) => {
  const wrong = {
    aus: [0, 1.5, -1, undefined],
    subjects: [0, -1, 1.5],
    lambda: [-1, Number.NaN, '1'],
    idHeadLayers: [0, 4, '1'],
    idLoss: ['foo', undefined],
    dropPath: [-1, 1, 2, Number.NaN],
    mlpRatio: [0, -4, Number.NaN, 0.3],
    layerNormEps: [-1, Number.NaN, undefined, '1e-6'],
  }
  for (const [field, values] of Object.entries(wrong))
    for (const value of values)
      t.throws(
        () => new AuClassifier(runtime, { ...tinyClassifier, [field]: value } as ClassifierConfig, 0),
        { name: 'RangeError', message: new RegExp(`^${field} must be .*, got ${value}`) },
        `${field} ${value}`,
      )
})

t.test('drop path for another number of blocks is refused', async (t) => {
  const model = new AuClassifier(runtime, tinyClassifier, 0)
  const branches = 2 * tinyClassifier.depth
  for (const count of [branches - 1, branches + 2])
    t.throws(() => model.forward(images, new DropPath(runtime, new Array(count).fill(0.1), 2)), {
      name: 'ShapeError',
      message: `dropPath: ${count} branches; ${tinyClassifier.depth} blocks have ${branches}`,
    })
})

t.test('lambda must be a finite number that is not negative, of a model with an identity head', async (t) => {
  const { model } = identityStep(1)
  for (const lambda of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    t.throws(() => model.setLambda(lambda), /lambda must be finite and at least 0/)
  const plain = new AuClassifier(runtime, { ...tinyClassifier, lambda: 0 }, 0)
  t.throws(() => plain.setLambda(1), /has no identity head/)
})

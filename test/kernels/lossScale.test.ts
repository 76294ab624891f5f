import t from 'tap'
import { FIRST_SCALE, GROWTH_INTERVAL } from '../../kernels/lossScale.js'
import { openDevice } from '../../src/engine/device.js'
import { fromHalf, toHalf } from '../../src/engine/float16.js'
import { ParameterArena } from '../../src/engine/parameters.js'
import { PhiloxStream } from '../../src/engine/random.js'
import { AdamW } from '../../src/train/optim/adamw.js'
import { relativeError } from '../../src/verify/array64.js'

// Mixed precision around the optimiser: scaled gradients make the same update, overflow skips a step and
// nothing else, the scale moves as it should, shadow weights follow the weights.

const runtime = await openDevice()
t.teardown(() => runtime.close())
const skip = runtime.caps.f16 ? false : 'this adapter has no shader-f16'

const rules = new Map([['w', { learningRateScale: 1, weightDecay: 0.05 }]])
const shape = [3, 50]
const SIZE = 150

function setUp(precision: 'f32' | 'f16', maxNorm: number) {
  const specs = [{ name: 'w', shape, init: { kind: 'normal' as const, std: 1 } }]
  const arena = new ParameterArena(runtime, specs)
  arena.initialise(specs, 1)
  const weight = arena.get('w')
  const optimizer = new AdamW(runtime, arena, rules, {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    maxNorm,
    precision,
  })
  const step = (gradient: Float32Array) => {
    runtime.write(weight.gradient!, gradient)
    weight.gradientWritten = true
    optimizer.prepare(0.01, 2)
    optimizer.apply()
  }
  const state = async () => [...((await optimizer.lossScale?.state.read()) ?? [])]
  return { weight, optimizer, step, state }
}

const random = new PhiloxStream(0, 12)
const gradients = Array.from({ length: 6 }, () => Float32Array.from({ length: SIZE }, () => random.normal()))
const scaled = (gradient: Float32Array, scale: number) => gradient.map((g) => scale * g)
const infinite = new Float32Array(SIZE).fill(1)
infinite[77] = Number.NEGATIVE_INFINITY

t.test('scaled gradients make the updates of unscaled ones', { skip }, async (t) => {
  for (const maxNorm of [0, 2]) {
    const [plain, mixed] = [setUp('f32', maxNorm), setUp('f16', maxNorm)]
    for (const gradient of gradients) {
      plain.step(gradient)
      mixed.step(scaled(gradient, FIRST_SCALE))
    }
    const error = relativeError(await mixed.weight.read(), await plain.weight.read())
    t.ok(error < 1e-6, `clip ${maxNorm}: ${error}`)
    t.same(await mixed.state(), [FIRST_SCALE, 6, 0])
  }
})

t.test('overflow skips the step, halves the scale and leaves no other trace', { skip }, async (t) => {
  const [smooth, bumpy] = [setUp('f16', 1), setUp('f16', 1)]
  let scale = FIRST_SCALE
  for (const [i, gradient] of gradients.entries()) {
    smooth.step(scaled(gradient, FIRST_SCALE))
    if (i % 2 === 1) {
      const before = await bumpy.weight.read()
      bumpy.step(infinite)
      t.same(await bumpy.weight.read(), before, 'nothing moved')
      scale /= 2
    }
    bumpy.step(scaled(gradient, scale))
  }
  t.same(await bumpy.weight.read(), await smooth.weight.read(), 'to the bit as if it had not been')
  for (const moment of ['first', 'second'] as const) {
    const [ours, theirs] = [bumpy, smooth].map(({ optimizer }) => optimizer.moments.get('w')![moment])
    t.same(await ours.read(), await theirs.read())
  }
  t.same(await bumpy.state(), [FIRST_SCALE / 8, 1, 3])
  t.equal(bumpy.optimizer.stepCount, 9, 'skipped steps count for the schedule')
})

t.test('the scale is doubled after many good steps in a row', { skip }, async (t) => {
  const { step, state } = setUp('f16', 0)
  step(infinite)
  const zeros = new Float32Array(SIZE)
  for (let i = 1; i < GROWTH_INTERVAL; i++) step(zeros)
  t.same(await state(), [FIRST_SCALE / 2, GROWTH_INTERVAL - 1, 1])
  step(zeros)
  t.same(await state(), [FIRST_SCALE, 0, 1])
})

t.test('shadow weights are the weights rounded, also after somebody wrote them', { skip }, async (t) => {
  const { weight, optimizer, step } = setUp('f16', 0)
  step(gradients[0])
  runtime.write(weight, gradients[1])
  optimizer.prepare(0.1)
  t.same(
    await weight.shadow!.read(),
    gradients[1].map((value) => fromHalf(toHalf(value))),
  )
})

t.test('without mixed precision there is neither scale nor shadow', async (t) => {
  const { weight, optimizer } = setUp('f32', 0)
  t.equal(optimizer.lossScale, null)
  t.equal(weight.shadow, null)
})

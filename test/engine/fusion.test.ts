import t from 'tap'
import { backward, withTape } from '../../src/engine/autograd.js'
import { openDevice } from '../../src/engine/device.js'
import { add } from '../../src/engine/ops/add.js'
import { bceWithLogits } from '../../src/engine/ops/bceWithLogits.js'
import { gelu } from '../../src/engine/ops/gelu.js'
import { layerNorm } from '../../src/engine/ops/layerNorm.js'
import { linear } from '../../src/engine/ops/linear.js'
import { meanTokens } from '../../src/engine/ops/meanTokens.js'
import { patchify, unpatchify } from '../../src/engine/ops/patchify.js'
import { residual } from '../../src/engine/ops/residual.js'
import { scale } from '../../src/engine/ops/scale.js'
import { PhiloxStream } from '../../src/engine/random.js'
import type { Tensor } from '../../src/engine/tensor.js'
import { relativeError } from '../../src/verify/array64.js'
import { erf } from '../../src/verify/reference/erf.js'

// Fused ops do what their parts do one by one; functions that are not of float32 precision by nature are so
// here.

const runtime = await openDevice()
t.teardown(() => runtime.close())
const random = new PhiloxStream(0, 3)

function normal(...shape: number[]): Tensor {
  const length = shape.reduce((product, size) => product * size, 1)
  return runtime.tensor(
    Float32Array.from({ length }, () => random.normal()),
    shape,
  )
}

t.test('linear with its GELU is linear, then GELU', async (t) => {
  const leaves = [normal(2, 17, 48), normal(24, 48), normal(24)]
  for (const leaf of leaves) leaf.requiresGrad = true
  const [x, weight, bias] = leaves
  const targets = runtime.zeros([2, 24])
  const run = async (forward: () => Tensor) => {
    const { result: loss, tape } = withTape(runtime, () => bceWithLogits(meanTokens(forward(), 0), targets))
    const gradients = backward(loss, tape, [loss])
    return Promise.all([loss, ...leaves.map((leaf) => gradients.get(leaf)!)].map((tensor) => tensor.read()))
  }
  const fused = await run(() => linear(x, weight, bias, 'gelu'))
  const apart = await run(() => gelu(linear(x, weight, bias)))
  fused.forEach((values, i) => {
    t.ok(relativeError(values, apart[i]) < 1e-6)
  })
})

t.test(
  'layer norm adds the gradient that reaches its input past it, to the bit as a sum of both',
  async (t) => {
    for (const width of [48, 7]) {
      const [x, weight, bias] = [normal(2, 17, width), normal(width), normal(width)]
      for (const leaf of [x, weight, bias]) leaf.requiresGrad = true
      const targets = runtime.zeros([2, width])
      const gradientOf = async (norm: () => Tensor) => {
        const forward = () => bceWithLogits(meanTokens(add(x, norm()), 0), targets)
        const { result: loss, tape } = withTape(runtime, forward)
        const before = runtime.counters.dispatches
        const gradient = backward(loss, tape, [loss]).get(x)!
        return { dispatches: runtime.counters.dispatches - before, values: await gradient.read() }
      }
      const fused = await gradientOf(() => layerNorm(x, weight, bias, 1e-6))
      // What lies between the two uses of x keeps the norm from seeing the other gradient.
      const apart = await gradientOf(() => layerNorm(scale(x, 1), weight, bias, 1e-6))
      t.same(fused.values, apart.values, `width ${width}`)
      t.equal(apart.dispatches - fused.dispatches, 2, 'no sum, and no scale')
    }
  },
)

t.test('a residual that drops nothing is the plain one', async (t) => {
  const [x, branch] = [normal(3, 5, 8), normal(3, 5, 8)]
  const ones = runtime.tensor([1, 1, 1], [3])
  t.same(await residual(x, branch, ones).read(), await residual(x, branch, null).read())
})

t.test('unpatchify undoes patchify', async (t) => {
  const images = normal(2, 3, 24, 24)
  for (const order of ['chw', 'hwc'] as const)
    t.equal(
      relativeError(await unpatchify(patchify(images, 8, order), 8, order).read(), await images.read()),
      0,
    )
})

t.test('GELU keeps float32 accuracy from deep in the negative tail to large values', async (t) => {
  const xs = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 200)
  const values = await gelu(runtime.tensor(xs, [xs.length])).read()
  const worst = xs.reduce((largest, x, i) => {
    const exact = 0.5 * x * (1 + erf(x / Math.SQRT2))
    return Math.max(largest, Math.abs(values[i] - exact) / Math.max(Math.abs(x), 1e-30))
  }, 0)
  t.ok(worst < 3e-7, `worst error relative to |x|: ${worst}`)
  const extreme = await gelu(runtime.tensor([-1e30, -40, 40, 1e30], [4])).read()
  t.same(
    [...extreme],
    [0, 0, 40, Math.fround(1e30)].map((value) => value),
  )
})

import t, { type Test } from 'tap'
import { matmulPlan, matmulVariants } from '../../kernels/matmul.js'
import type { MatmulSpec } from '../../kernels/matmulShared.js'
import { backward, withTape } from '../../src/engine/autograd.js'
import { captureStep } from '../../src/engine/capturedStep.js'
import { openDevice } from '../../src/engine/device.js'
import { add } from '../../src/engine/ops/add.js'
import { bceWithLogits } from '../../src/engine/ops/bceWithLogits.js'
import { cast } from '../../src/engine/ops/cast.js'
import { linear, linearResidual } from '../../src/engine/ops/linear.js'
import { matmul } from '../../src/engine/ops/matmul.js'
import { meanTokens } from '../../src/engine/ops/meanTokens.js'
import { productTunable } from '../../src/engine/ops/product.js'
import { ParameterArena } from '../../src/engine/parameters.js'
import { PhiloxStream } from '../../src/engine/random.js'
import type { Runtime } from '../../src/engine/runtime.js'
import type { DType, Tensor } from '../../src/engine/tensor.js'
import { relativeError } from '../../src/verify/array64.js'
import { linearCases, matmulCases } from '../../src/verify/cases/products.js'
import type { OpCase } from '../../src/verify/opCase.js'
import { kernelVariants, PoisonedRuntime } from '../../src/verify/poisonedRuntime.js'
import { prepareCase, runCase } from '../../src/verify/runOpCase.js'

// Products beyond what the op cases show: variants that are chosen on other adapters, f16, and gradients that
// are added up.

const runtime = await openDevice()
t.teardown(() => runtime.close())
const skipHalf = runtime.caps.f16 ? false : 'this adapter has no shader-f16'
const random = new PhiloxStream(0, 11)
const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())

async function check(t: Test, on: Runtime, opCase: OpCase, tolerance: number): Promise<void> {
  const { forward, gradient } = await runCase(on, prepareCase(opCase))
  t.ok(forward <= tolerance, `${opCase.op} ${opCase.label}: forward ${forward}`)
  t.ok(gradient! <= tolerance, `${opCase.op} ${opCase.label}: gradient ${gradient}`)
}

t.test('the tuner measures a product with k in parts only if it runs so', async (t) => {
  const gpu = kernelVariants(runtime).find(({ runtime: { caps } }) => !caps.software)!.runtime
  const addsParts = (epilogue: MatmulSpec['epilogue']) => {
    const stored = { a: 'f32', b: 'f32', c: 'f32' } as const
    const spec: MatmulSpec = { batch: 1, m: 32, n: 32, k: 1024, layout: 'NN', epilogue, stored }
    const operands = productTunable.operands(spec).map(({ shape }) => gpu.empty(shape))
    const { kernels } = captureStep(gpu, () => productTunable.run(spec, 'tiled32x32', operands))
    return kernels.some(({ name }) => name.startsWith('columnSum'))
  }
  t.equal(addsParts('none'), true)
  for (const epilogue of ['bias', 'biasGelu', 'residual', 'accumulate'] as const)
    t.equal(addsParts(epilogue), false, epilogue)
})

t.test('a CPU driver without subgroups runs every product with the register variant', async (t) => {
  const caps = { ...runtime.caps, software: true, subgroups: false }
  const plain = new PoisonedRuntime(runtime.device, caps, runtime.adapterNote)
  for (const opCase of [...matmulCases, ...linearCases]) await check(t, plain, opCase, 1e-5)
})

t.test('f16 activations read the shadow of a weight', { skip: skipHalf }, async (t) => {
  const specs = [{ name: 'weight', shape: [8, 12], init: { kind: 'values' as const, values: normal(96) } }]
  const arena = new ParameterArena(runtime, specs)
  arena.initialise(specs, 0)
  const weight = arena.get('weight')
  const x = runtime.tensor(normal(60), [5, 12], 'f16')
  const exact = await linear(x, weight, null).read()
  weight.shadow = cast(runtime.zeros([8, 12]), 'f16')
  t.ok((await linear(x, weight, null).read()).every((value) => value === 0))
  weight.shadow = null
  t.same(await linear(x, weight, null).read(), exact)
})

t.test('a second backward pass adds to the gradients of weight and bias', async (t) => {
  const specs = [
    { name: 'weight', shape: [24, 16], init: { kind: 'values' as const, values: normal(24 * 16) } },
    { name: 'bias', shape: [24], init: { kind: 'values' as const, values: normal(24) } },
  ]
  for (const { runtime: variant, name } of kernelVariants(runtime)) {
    const arena = new ParameterArena(variant, specs)
    arena.initialise(specs, 0)
    const [weight, bias] = [arena.get('weight'), arena.get('bias')]
    const step = async (x: Float32Array) => {
      const input = variant.tensor(x, [1, 40, 16])
      const { result, tape } = withTape(variant, () =>
        bceWithLogits(meanTokens(linear(input, weight, bias), 0), variant.zeros([1, 24])),
      )
      backward(result, tape, [result])
      return Promise.all([weight, bias].map(({ gradient }) => gradient!.read()))
    }
    const [x1, x2] = [normal(640), normal(640)]
    const first = await step(x1)
    const both = await step(x2)
    arena.zeroGrad()
    const second = await step(x2)
    both.forEach((sum, i) => {
      const expected = Float64Array.from(sum, (_, j) => first[i][j] + second[i][j])
      t.ok(relativeError(sum, expected) < 1e-6, `${name}: ${i === 0 ? 'weight' : 'bias'}`)
    })
  }
})

t.test('a linear layer with its residual is the layer, then the sum', async (t) => {
  const dtypes: DType[] = runtime.caps.f16 ? ['f32', 'f16'] : ['f32']
  for (const dtype of dtypes) {
    const x = runtime.tensor(normal(34 * 48), [2, 17, 48], dtype)
    const [weight, bias] = [runtime.tensor(normal(40 * 48), [40, 48]), runtime.tensor(normal(40), [40])]
    const rest = runtime.tensor(normal(34 * 40), [2, 17, 40], dtype)
    const apart = add(linear(x, weight, bias), rest)
    const fused = linearResidual(x, weight, bias, rest)
    t.ok(relativeError(await fused.read(), await apart.read()) < (dtype === 'f32' ? 1e-6 : 2e-3), dtype)
  }
  const wrong = runtime.zeros([2, 17, 41])
  const run = () =>
    linearResidual(runtime.zeros([2, 17, 8]), runtime.zeros([40, 8]), runtime.zeros([40]), wrong)
  t.throws(run, {
    message: 'linearResidual: residual is [2,17,41], x·Wᵀ is [2,17,40]; the shapes must be equal',
  })
})

t.test('a long sum is cut into parts: the result is that of one part', async (t) => {
  const [m, n, k] = [32, 32, 2000]
  const spec = {
    batch: 1,
    m,
    n,
    k,
    layout: 'TN',
    epilogue: 'none',
    stored: { a: 'f32', b: 'f32', c: 'f32' },
  } as const
  const [a, b] = [runtime.tensor(normal(k * m), [k, m]), runtime.tensor(normal(k * n), [k, n])]
  const [variant] = matmulVariants(runtime.caps, spec)
  t.ok(matmulPlan(runtime.caps, spec, variant).splits > 1)
  const whole = matmulPlan(runtime.caps, { ...spec, epilogue: 'accumulate' }, variant)
  t.equal(whole.splits, 1, 'what is added to C is never cut')
  const inOne: Tensor = runtime.zeros([m, n])
  runtime.dispatch(whole.kernel, [a, b, inOne])
  const inParts = matmul(a, b, { transposeA: true })
  t.ok(relativeError(await inParts.read(), await inOne.read()) < 1e-5)
})

t.test('operands of a product have one type', { skip: skipHalf }, async (t) => {
  const [a, b] = [runtime.zeros([2, 4]), runtime.zeros([4, 8], 'f16')]
  t.throws(() => matmul(a, b), {
    message: 'matmul: a is [2,4], b is f16 [4,8]; the types must be equal',
  })
})

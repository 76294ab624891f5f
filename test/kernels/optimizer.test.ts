import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { ParameterArena } from '../../src/engine/parameters.js'
import { PhiloxStream } from '../../src/engine/random.js'
import { AdamW } from '../../src/train/optim/adamw.js'
import { norm, relativeError } from '../../src/verify/array64.js'

// AdamW and the global norm over a whole arena, against the same sums in float64.

const runtime = await openDevice()
t.teardown(() => runtime.close())

const shapes = { a: [7], b: [64], c: [3, 50], d: [197, 13], frozen: [5] }
const rules = new Map([
  ['a', { learningRateScale: 1, weightDecay: 0 }],
  ['b', { learningRateScale: 0.65, weightDecay: 0.05 }],
  ['c', { learningRateScale: 0.65 ** 2, weightDecay: 0.05 }],
  ['d', { learningRateScale: 1, weightDecay: 0.5 }],
])
const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }

interface Host {
  value: Float64Array
  first: Float64Array
  second: Float64Array
}

function makeArena(): ParameterArena {
  const specs = Object.entries(shapes).map(([name, shape]) => ({
    name,
    shape,
    init: { kind: 'normal' as const, std: 1 },
    frozen: name === 'frozen',
  }))
  const arena = new ParameterArena(runtime, specs)
  arena.initialise(specs, 1)
  return arena
}

function hostStep(state: Host, gradient: Float64Array, rate: number, decay: number, step: number): void {
  const { beta1, beta2, epsilon } = options
  gradient.forEach((g, i) => {
    state.first[i] = beta1 * state.first[i] + (1 - beta1) * g
    state.second[i] = beta2 * state.second[i] + (1 - beta2) * g * g
    const direction =
      state.first[i] / (1 - beta1 ** step) / (Math.sqrt(state.second[i] / (1 - beta2 ** step)) + epsilon)
    state.value[i] = state.value[i] * (1 - rate * decay) - rate * direction
  })
}

async function compare(maxNorm: number, accumulated: number): Promise<Map<string, number>> {
  const arena = makeArena()
  const optimizer = new AdamW(runtime, arena, rules, { ...options, maxNorm })
  const trainable = arena.parameters.filter(({ gradient }) => gradient)
  const hosts = new Map<string, Host>()
  for (const parameter of trainable) {
    const value = Float64Array.from(await parameter.read())
    hosts.set(parameter.name, {
      value,
      first: new Float64Array(value.length),
      second: new Float64Array(value.length),
    })
  }
  const random = new PhiloxStream(0, 9)
  for (let step = 1; step <= 5; step++) {
    const gradients = new Map<string, Float64Array>()
    for (const parameter of trainable) {
      const gradient = Float32Array.from(
        { length: parameter.size },
        () => 10 ** (3 * random.uniform() - 3) * random.normal(),
      )
      runtime.write(parameter.gradient!, gradient)
      parameter.gradientWritten = true
      gradients.set(
        parameter.name,
        Float64Array.from(gradient, (g) => g / accumulated),
      )
    }
    const total = norm([...gradients.values()].flatMap((gradient) => [...gradient]))
    const factor = maxNorm > 0 ? Math.min(1, maxNorm / (total + 1e-6)) : 1
    optimizer.prepare(0.01 * step, accumulated)
    optimizer.apply()
    for (const [name, host] of hosts) {
      const { learningRateScale, weightDecay } = rules.get(name)!
      const gradient = gradients.get(name)!.map((g) => g * factor)
      hostStep(host, gradient, 0.01 * step * learningRateScale, weightDecay, step)
    }
  }
  const errors = new Map<string, number>()
  for (const parameter of trainable)
    errors.set(parameter.name, relativeError(await parameter.read(), hosts.get(parameter.name)!.value))
  return errors
}

for (const [maxNorm, accumulated] of [
  [0, 1],
  [0, 4],
  [0.5, 1],
  [1e6, 2],
]) {
  t.test(`AdamW, clip ${maxNorm}, accumulation ${accumulated}`, async (t) => {
    for (const [name, error] of await compare(maxNorm, accumulated)) t.ok(error < 1e-6, `${name}: ${error}`)
  })
}

t.test('a rate of zero moves nothing, a frozen parameter never moves', async (t) => {
  const arena = makeArena()
  const optimizer = new AdamW(runtime, arena, rules, { ...options, maxNorm: 0 })
  const before = await Promise.all(arena.parameters.map((parameter) => parameter.read()))
  for (const { gradient } of arena.parameters)
    if (gradient) runtime.write(gradient, new Float32Array(gradient.size).fill(1))
  optimizer.prepare(0)
  optimizer.apply()
  t.same(await Promise.all(arena.parameters.map((parameter) => parameter.read())), before)
  optimizer.prepare(0.1)
  optimizer.apply()
  t.same(await arena.get('frozen').read(), before.at(-1))
})

t.test('a gradient that is not finite changes nothing where the norm is measured', async (t) => {
  const arena = makeArena()
  const optimizer = new AdamW(runtime, arena, rules, { ...options, maxNorm: 1 })
  const before = await arena.get('d').read()
  const gradient = new Float32Array(arena.get('d').size)
  gradient[100] = Number.NaN
  runtime.write(arena.get('d').gradient!, gradient)
  arena.get('d').gradientWritten = true
  optimizer.prepare(0.1)
  optimizer.apply()
  t.same(await arena.get('d').read(), before)
})

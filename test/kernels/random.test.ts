import t from 'tap'
import { flatGrid } from '../../kernels/kernel.js'
import { openDevice } from '../../src/engine/device.js'
import { PhiloxStream } from '../../src/engine/random.js'
import { DropPath, RandomState } from '../../src/engine/randomState.js'
import { relativeError } from '../../src/verify/array64.js'

// The device draws the numbers that the host can draw too, bit for bit, at every address.

/** The host's draw at the same address. */
function uniformAt(seed: number, stream: number, step: number, index: number): number {
  const generator = new PhiloxStream(seed, stream, step)
  generator.position = index
  return generator.uniform()
}

const runtime = await openDevice()
t.teardown(() => runtime.close())

t.test('uniforms are those of the host, by seed, stream and step', async (t) => {
  for (const [seed, stream, step, count] of [
    [0, 0, 0, 1],
    [7, 3, 5, 17],
    [0xffffffff, 0x3a5c0002, 2 ** 32 + 9, 197],
    [1, 2, 3, 4096],
  ]) {
    const random = new RandomState(runtime, seed, stream)
    random.setStep(step)
    const values = await random.uniform([count]).read()
    const expected = Float32Array.from({ length: count }, (_, i) => uniformAt(seed, stream, step, i))
    t.equal(relativeError(values, expected), 0, `seed ${seed}, stream ${stream}, step ${step}`)
  }
})

t.test('drop path: 0 or 1/(1 − rate), never in a branch of rate 0, about as often as its rate', async (t) => {
  const rates = [0, 0.1, 0.5]
  const batch = 100
  const dropPath = new DropPath(runtime, rates, batch)
  const random = new RandomState(runtime, 4, 1)
  const dropped = [0, 0, 0]
  const steps = 40
  for (let step = 0; step < steps; step++) {
    random.setStep(step)
    dropPath.draw(random)
    for (const [branch, scales] of dropPath.scales.entries()) {
      const values = [...(await scales.read())]
      const kept = Math.fround(1 / (1 - Math.fround(rates[branch])))
      t.ok(values.every((value) => value === 0 || Math.abs(value - kept) < 1e-6))
      dropped[branch] += values.filter((value) => value === 0).length / (batch * steps)
    }
  }
  t.equal(dropped[0], 0)
  t.ok(Math.abs(dropped[1] - 0.1) < 0.02, `${dropped[1]} of 0.1`)
  t.ok(Math.abs(dropped[2] - 0.5) < 0.03, `${dropped[2]} of 0.5`)
})

t.test('a grid of more than 65,535 workgroups is folded and covers everything', async (t) => {
  for (const items of [0, 1, 64, 65, 65_535 * 64, 65_535 * 64 + 1, 500_000_000]) {
    const [x, y, z] = flatGrid(items, 64)
    t.ok(x * y * z * 64 >= items && x <= 65_535 && y <= 65_535, `${items} items: ${x} × ${y} × ${z}`)
  }
  const count = 65_535 * 64 * 4 + 1000
  const random = new RandomState(runtime, 0, 0)
  random.setStep(1)
  const values = await random.uniform([count]).read()
  for (const index of [0, 65_535 * 64 * 2, count - 1001, count - 1000, count - 1])
    t.equal(values[index], Math.fround(uniformAt(0, 0, 1, index)), `value ${index}`)
})

import { createHash } from 'node:crypto'
import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { RandomState } from '../../src/engine/randomState.js'
import type { Runtime } from '../../src/engine/runtime.js'
import { AdamW } from '../../src/train/optim/adamw.js'
import { pretrainingRules } from '../../src/train/optim/parameterGroups.js'
import { fixtureImages, tinyFmae } from '../../src/verify/fixtures.js'
import { fmaeRun } from '../../src/verify/modelRun.js'
import { kernelVariants } from '../../src/verify/poisonedRuntime.js'

// The same seed on the same adapter gives the same bits: masks, losses, gradients, weights after a few steps.

const runtime = await openDevice()
t.teardown(() => runtime.close())

async function train(runtime: Runtime, seed: number): Promise<{ losses: number[]; weights: string }> {
  const random = new RandomState(runtime, seed, 1)
  random.setStep(5)
  const noise = (await random.uniform([2, 16]).read()) as Float32Array
  const run = fmaeRun(runtime, tinyFmae, { imgs: fixtureImages(), noise }, seed)
  const { parameters } = run
  const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, maxNorm: 1 }
  const optimizer = new AdamW(runtime, parameters, pretrainingRules(parameters.parameters, 0.05), options)
  const losses: number[] = []
  for (let step = 0; step < 4; step++) {
    optimizer.prepare(1e-3)
    const [loss] = runtime.scope(() => {
      const { loss } = run.step()
      optimizer.apply()
      return [loss]
    })
    losses.push((await loss.read())[0])
  }
  const hash = createHash('sha256')
  for (const parameter of parameters.parameters) hash.update(await parameter.read())
  return { losses, weights: hash.digest('hex') }
}

for (const variant of kernelVariants(runtime)) {
  t.test(variant.name, async (t) => {
    const first = await train(variant.runtime, 3)
    const second = await train(variant.runtime, 3)
    t.same(second, first, 'bit for bit')
    t.ok(first.losses.every(Number.isFinite))
    t.ok(first.losses[3] < first.losses[0], 'and it learns')
    const other = await train(variant.runtime, 4)
    t.not(other.losses[0], first.losses[0], 'another seed is another run')
  })
}

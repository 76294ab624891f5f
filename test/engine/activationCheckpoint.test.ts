import t from 'tap'
import { activationCheckpoint } from '../../src/engine/activationCheckpoint.js'
import { backward, withTape } from '../../src/engine/autograd.js'
import { captureStep } from '../../src/engine/capturedStep.js'
import { openDevice } from '../../src/engine/device.js'
import { bceWithLogits } from '../../src/engine/ops/bceWithLogits.js'
import { reshape } from '../../src/engine/ops/reshape.js'
import { ParameterArena } from '../../src/engine/parameters.js'
import { PhiloxStream } from '../../src/engine/random.js'
import type { Tensor } from '../../src/engine/tensor.js'
import { type BlockConfig, block, blockParameters } from '../../src/model/block.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

const config: BlockConfig = { width: 24, heads: 3, mlpRatio: 2, layerNormEps: 1e-6 }
const specs = [0, 1, 2].flatMap((i) => blockParameters(`blocks.${i}`, config, 'pretraining'))
const shape = [2, 17, 24]
const size = 2 * 17 * 24

function inputs() {
  const random = new PhiloxStream(1, 2)
  const x = runtime.tensor(
    Float32Array.from({ length: size }, () => random.normal()),
    shape,
  )
  const targets = runtime.tensor(
    Float32Array.from({ length: size }, () => random.integer(2)),
    [34, 24],
  )
  return { x, targets }
}

type Blocks = (x: Tensor, arena: ParameterArena, prefix: string) => Tensor
const plain: Blocks = (x, arena, prefix) => block(x, arena, prefix, config, null)
const checkpointed: Blocks = (x, arena, prefix) => {
  const own = arena.parameters.filter(({ name }) => name.startsWith(prefix))
  return activationCheckpoint(x, own, (input) => plain(input, arena, prefix))
}

/** Loss, gradient of x, all parameter gradients, and the bytes that lived at the worst moment. */
async function gradients(blocks: Blocks, xNeedsGrad: boolean) {
  const arena = new ParameterArena(runtime, specs)
  arena.initialise(specs, 3)
  const { x, targets } = inputs()
  x.requiresGrad = xNeedsGrad
  const step = captureStep(runtime, () => {
    const { result: loss, tape } = withTape(runtime, () => {
      let y = x
      for (let i = 0; i < 3; i++) y = blocks(y, arena, `blocks.${i}`)
      return bceWithLogits(reshape(y, [34, 24]), targets)
    })
    const dx = backward(loss, tape, [loss]).get(x)
    return dx ? [loss, dx] : [loss]
  })
  const tensors = [...step.run(), ...arena.parameters.map((parameter) => parameter.gradient!)]
  const values = await Promise.all(tensors.map((tensor) => tensor.read()))
  return { values, bytes: step.plan.worstMomentBytes }
}

for (const xNeedsGrad of [true, false]) {
  t.test(`checkpointed blocks give the same bits in less memory, x needs grad: ${xNeedsGrad}`, async (t) => {
    const all = await gradients(plain, xNeedsGrad)
    const few = await gradients(checkpointed, xNeedsGrad)
    t.same(few.values, all.values)
    t.ok(few.values.every((values) => values.some((value) => value !== 0)))
    t.ok(few.bytes < 0.6 * all.bytes, `${few.bytes} of ${all.bytes} bytes`)
  })
}

t.test('without a tape a checkpoint is its forward', async (t) => {
  const arena = new ParameterArena(runtime, specs)
  arena.initialise(specs, 3)
  const { x } = inputs()
  t.same(await checkpointed(x, arena, 'blocks.0').read(), await plain(x, arena, 'blocks.0').read())
})

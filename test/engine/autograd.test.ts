import t from 'tap'
import { backward, withTape } from '../../src/engine/autograd.js'
import { openDevice } from '../../src/engine/device.js'
import { DeviceError, ShapeError } from '../../src/engine/errors.js'
import { add } from '../../src/engine/ops/add.js'
import { bceWithLogits } from '../../src/engine/ops/bceWithLogits.js'
import { gelu } from '../../src/engine/ops/gelu.js'
import { gradientReversal } from '../../src/engine/ops/gradientReversal.js'
import { linear } from '../../src/engine/ops/linear.js'
import { maskedPatchLoss } from '../../src/engine/ops/maskedPatchLoss.js'
import { meanTokens } from '../../src/engine/ops/meanTokens.js'
import { residual } from '../../src/engine/ops/residual.js'
import { scale } from '../../src/engine/ops/scale.js'
import { ParameterArena } from '../../src/engine/parameters.js'
import type { Tensor } from '../../src/engine/tensor.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

/** A trainable [1] beside an unrelated one. */
function scalarArena(value: number): ParameterArena {
  const specs = ['p', 'unused'].map((name) => ({
    name,
    shape: [1],
    init: { kind: 'constant' as const, value },
  }))
  const arena = new ParameterArena(runtime, specs)
  arena.initialise(specs, 0)
  return arena
}

async function value(tensor: Tensor): Promise<number> {
  return (await tensor.read())[0]
}

t.test('a parameter that is used more than once gets the sum of its gradients', async (t) => {
  const arena = scalarArena(3)
  const p = arena.get('p')
  const step = () => {
    const { result, tape } = withTape(runtime, () => add(add(scale(p, 2), scale(p, 5)), p))
    backward(result, tape, [result])
    return result
  }
  t.equal(await value(step()), 24)
  t.equal(await value(p.gradient!), 8)
  step()
  t.equal(await value(p.gradient!), 16, 'a second backward adds')
  arena.zeroGrad()
  step()
  t.equal(await value(p.gradient!), 8, 'after zeroGrad it starts anew')
  t.notOk(arena.get('unused').gradientWritten, 'what the loss does not reach gets no gradient')
})

t.test('a tensor that is used twice sums its gradients, also with itself', async (t) => {
  const x = runtime.tensor([2], [1])
  x.requiresGrad = true
  const { result, tape } = withTape(runtime, () => {
    const y = scale(x, 3)
    return add(add(y, y), scale(y, 10))
  })
  t.equal(await value(backward(result, tape).get(x)!), 36)
})

t.test('gradient reversal hands x on and multiplies the gradient by −λ', async (t) => {
  for (const lambda of [0, 0.5, 2]) {
    const x = runtime.tensor([1.5], [1])
    x.requiresGrad = true
    const { result, tape } = withTape(runtime, () =>
      scale(gradientReversal(x, runtime.tensor([lambda], [1])), 3),
    )
    const gradient = backward(result, tape, [result]).get(x)!
    t.equal(await value(result), 4.5)
    t.equal(await value(gradient), -3 * lambda)
  }
})

t.test('without a tape, or without anything to train, nothing is recorded', async (t) => {
  const x = runtime.tensor([1], [1])
  t.notOk(scale(x, 2).requiresGrad)
  const { tape } = withTape(runtime, () => scale(x, 2))
  t.same(tape, [])
  x.requiresGrad = true
  t.notOk(scale(x, 2).requiresGrad)
  t.throws(() => withTape(runtime, () => withTape(runtime, () => x)), /already being recorded/)
  t.equal(runtime.tape, null, 'a failure inside leaves no tape behind')
})

t.test('backward requires a scalar', async (t) => {
  const x = runtime.tensor([1, 2], [2])
  x.requiresGrad = true
  const { result, tape } = withTape(runtime, () => scale(x, 2))
  t.throws(() => backward(result, tape), ShapeError)
})

t.test('activations are freed by backward, except those that the caller keeps', async (t) => {
  const x = runtime.tensor([1, 2, 3, 4], [2, 2])
  x.requiresGrad = true
  const make = () => {
    const hidden = gelu(x)
    const loss = bceWithLogits(hidden, runtime.tensor([0, 1, 0, 1], [2, 2]))
    return { hidden, loss }
  }
  const freed = withTape(runtime, make)
  backward(freed.result.loss, freed.tape)
  t.throws(() => gelu(freed.result.hidden), DeviceError)
  await t.rejects(freed.result.hidden.read(), /\[2,2\] was used after it was freed/)
  const kept = withTape(runtime, make)
  backward(kept.result.loss, kept.tape, [kept.result.hidden])
  t.equal((await kept.result.hidden.read()).length, 4)
  t.equal((await kept.result.loss.read()).length, 1, 'the loss is always kept')
})

t.test('a scope frees what it made and keeps what it returns', async (t) => {
  const live = runtime.memory.usage.liveBytes
  const kept = runtime.scope(() => {
    runtime.empty([1000])
    return runtime.scope(() => scale(runtime.tensor([4], [1]), 2))
  })
  t.equal(await value(kept), 8)
  kept.dispose()
  t.equal(runtime.memory.usage.liveBytes, live)
  t.throws(() => {
    runtime.scope(() => {
      runtime.empty([1000])
      throw new Error('inside')
    })
  }, /inside/)
  t.equal(runtime.memory.usage.liveBytes, live, 'also when it fails')
})

t.test('200 steps use the memory of one', async (t) => {
  const specs = [
    { name: 'w', shape: [24, 16], init: { kind: 'normal' as const, std: 0.1 } },
    { name: 'b', shape: [24], init: { kind: 'constant' as const, value: 0 } },
  ]
  const arena = new ParameterArena(runtime, specs)
  arena.initialise(specs, 0)
  const x = runtime.zeros([3, 17, 16])
  const targets = runtime.zeros([3, 24])
  const step = () =>
    runtime.scope(() => {
      const { result: loss, tape } = withTape(runtime, () =>
        bceWithLogits(meanTokens(linear(x, arena.get('w'), arena.get('b'), 'gelu'), 1), targets),
      )
      backward(loss, tape)
      arena.zeroGrad()
      return undefined
    })
  step()
  const { bufferBytes, liveBytes } = runtime.memory.usage
  for (let i = 0; i < 200; i++) step()
  await runtime.finish()
  t.same([runtime.memory.usage.bufferBytes, runtime.memory.usage.liveBytes], [bufferBytes, liveBytes])
})

t.test('a gradient written over an output outlives it while it is handed on', async (t) => {
  const x = runtime.tensor([1, 2, 3, 4, 5, 6], [1, 2, 3])
  x.requiresGrad = true
  const target = runtime.zeros([1, 2, 3])
  const all = runtime.tensor([1, 1], [1, 2])
  const { result, tape } = withTape(runtime, () => {
    const y = residual(scale(x, 2), scale(x, 3), null)
    return maskedPatchLoss(residual(y, scale(y, 0), null), target, all, false)
  })
  const gradient = await backward(result, tape, [result]).get(x)!.read()
  // loss = Σ (5x)²/6, hence 50x/6.
  const expected = [1, 2, 3, 4, 5, 6].map((value) => (50 * value) / 6)
  t.ok(expected.every((value, i) => Math.abs(gradient[i] - value) < 1e-4))
})

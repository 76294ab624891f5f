import fc from 'fast-check'
import t from 'tap'
import { captureStep } from '../../src/engine/capturedStep.js'
import { openDevice } from '../../src/engine/device.js'
import { LimitError } from '../../src/engine/errors.js'
import { planMemory } from '../../src/engine/memoryPlan.js'
import { add } from '../../src/engine/ops/add.js'
import { scale } from '../../src/engine/ops/scale.js'
import { allocatePersistent } from '../../src/engine/parameters.js'
import { StepMemory } from '../../src/engine/stepMemory.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

const storage = { buffer: null, bufferId: -1, byteOffset: 0, byteLength: 0, alive: true }
const life = fc
  .record({ bytes: fc.integer({ min: 1, max: 5000 }), start: fc.nat(60), length: fc.nat(20) })
  .map(({ bytes, start, length }) => ({ storage, bytes, first: start, last: start + length }))

t.test(
  'a plan gives every tensor a buffer that is large enough and shared with none of its time',
  async () => {
    fc.assert(
      fc.property(fc.array(life, { maxLength: 60 }), (tensors) => {
        const { buffers, bytes, worstMomentBytes } = planMemory(tensors)
        if (buffers.flatMap((buffer) => buffer.tensors).length !== tensors.length) return false
        const fits = buffers.every((buffer) => buffer.tensors.every((tensor) => tensor.bytes <= buffer.bytes))
        const apart = buffers.every(({ tensors: group }) =>
          group.every((a, i) => group.slice(i + 1).every((b) => a.last < b.first || b.last < a.first)),
        )
        return fits && apart && bytes >= worstMomentBytes
      }),
    )
  },
)

t.test('tensors of one size take no more than the worst moment', async (t) => {
  const tensors = Array.from({ length: 30 }, (_, i) => ({ storage, bytes: 64, first: i, last: i + 3 }))
  const plan = planMemory(tensors)
  t.equal(plan.bytes, 4 * 64)
  t.equal(plan.worstMomentBytes, 4 * 64)
})

t.test('nothing runs while a step is recorded; each run takes what the input holds by then', async (t) => {
  const x = allocatePersistent(runtime, [[3]]).parts[0]
  runtime.write(x, [1, 2, 3])
  const { dispatches } = runtime.counters
  const step = captureStep(runtime, () => {
    const doubled = scale(x, 2)
    return [add(doubled, add(doubled, x))]
  })
  t.equal(runtime.counters.dispatches, dispatches)
  t.equal(step.kernels.length, 3)
  const [y] = step.run()
  t.same(await y.read(), [5, 10, 15])
  runtime.write(x, [10, 0, -1])
  step.run()
  t.same(await y.read(), [50, 0, -5])
  step.memory.release()
})

t.test('copies and clears are part of a captured step', async (t) => {
  const total = allocatePersistent(runtime, [[2]]).parts[0]
  runtime.write(total, [5, 6])
  const step = captureStep(runtime, () => {
    const doubled = scale(total, 2)
    runtime.copy(doubled, total)
    return [add(doubled, runtime.zeros([2]))]
  })
  step.run()
  t.same(await step.run()[0].read(), [20, 24], 'the second run saw what the first left')
  t.same(await total.read(), [20, 24])
  step.memory.release()
})

t.test('steps that take turns use the same buffers', async (t) => {
  const x = allocatePersistent(runtime, [[64]]).parts[0]
  const memory = new StepMemory(runtime)
  const small = captureStep(runtime, () => [scale(scale(x, 2), 3)], memory)
  const large = captureStep(runtime, () => [add(scale(x, 2), add(scale(x, 3), scale(x, 4)))], memory)
  t.equal(memory.bytes, Math.max(small.plan.bytes, large.plan.bytes))
  const { bufferBytes } = runtime.memory.usage
  small.run()
  large.run()
  t.equal(runtime.memory.usage.bufferBytes, bufferBytes + memory.bytes)
  t.throws(() => captureStep(runtime, () => [scale(x, 2)], memory), /in use already/)
  memory.release()
  t.equal(runtime.memory.usage.bufferBytes, bufferBytes)
})

t.test('what cannot be replayed is refused', async (t) => {
  const x = allocatePersistent(runtime, [[2]]).parts[0]
  t.throws(() => captureStep(runtime, () => [runtime.tensor([1, 2], [2])]), /write: inside a captured step/)
  t.throws(() => captureStep(runtime, () => [x]), /a result of the step was not made by any of its kernels/)
  t.throws(() => captureStep(runtime, () => captureStep(runtime, () => []).results), /already being captured/)
  t.equal(runtime.capturing, null, 'a failure inside leaves no recording behind')
  const freed = scale(x, 2)
  t.throws(
    () =>
      captureStep(runtime, () => {
        const y = scale(x, 2)
        y.dispose()
        return [scale(y, 2)]
      }),
    /used after it was freed/,
  )
  freed.dispose()
})

t.test('a tensor beyond the binding limit is refused before any memory is taken', async (t) => {
  const elements = runtime.memory.maxBindingBytes / 4 + 4
  const { bufferBytes } = runtime.memory.usage
  const step = captureStep(runtime, () => {
    const y = runtime.empty([elements])
    runtime.clear(y)
    return [y]
  })
  t.throws(() => step.run(), LimitError)
  t.equal(runtime.memory.usage.bufferBytes, bufferBytes)
})

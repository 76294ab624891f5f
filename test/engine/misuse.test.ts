import t from 'tap'
import { captureStep } from '../../src/engine/capturedStep.js'
import { openDevice } from '../../src/engine/device.js'
import { ShapeError } from '../../src/engine/errors.js'
import { add } from '../../src/engine/ops/add.js'
import { reshape } from '../../src/engine/ops/reshape.js'
import { allocatePersistent } from '../../src/engine/parameters.js'
import type { DType } from '../../src/engine/tensor.js'

// What a program gets wrong is refused by name, and leaves the runtime as it was.

const runtime = await openDevice()
const other = await openDevice()
t.teardown(() => {
  runtime.close()
  other.close()
})

t.test('a tensor of another runtime is refused by name; both runtimes go on', async (t) => {
  const [own, foreign] = [runtime.tensor([1, 2], [2]), other.tensor([3, 4], [2])]
  const refused = (name: string, call: () => unknown) =>
    t.throws(call, { name: 'DeviceError', message: `${name}: a tensor [2] belongs to another runtime` })
  refused('add', () => add(own, foreign))
  refused('write', () => runtime.write(foreign, [5, 6]))
  refused('copy', () => runtime.copy(own, foreign))
  refused('copy', () => runtime.copy(foreign, own))
  refused('clear', () => runtime.clear(foreign))
  refused('release', () => runtime.release(foreign))
  await t.rejects(runtime.readBytes(foreign), { message: /^read: .* belongs to another runtime/ })
  refused('add', () => captureStep(runtime, () => [add(own, foreign)]))
  t.same(await own.read(), [1, 2])
  t.same(await foreign.read(), [3, 4])
})

t.test('a copy between tensors of different sizes or types reaches no neighbour', async (t) => {
  const { parts } = allocatePersistent(runtime, [[2], [2]])
  for (const part of parts) runtime.write(part, [1, 2])
  for (const source of [runtime.zeros([200]), runtime.zeros([1]), runtime.zeros([2], 'u32')])
    t.throws(() => runtime.copy(source, parts[0]), ShapeError)
  t.throws(
    () => runtime.copy(runtime.zeros([200]), parts[0]),
    /^copy: the source is \[200\], the target is \[2\]/,
  )
  t.same(await parts[0].read(), [1, 2])
  t.same(await parts[1].read(), [1, 2])
})

t.test('a shape is a list of integers from 0 up', async (t) => {
  const shapes: unknown[] = [
    [-1],
    [-1, -2],
    [1.5],
    [Number.NaN],
    [2, undefined],
    ['2'],
    [[2]],
    2,
    '2',
    undefined,
  ]
  for (const shape of shapes as number[][]) {
    const calls = {
      empty: () => runtime.empty(shape),
      tensor: () => runtime.tensor([1, 2], shape),
      reshape: () => reshape(runtime.zeros([2]), shape),
    }
    for (const [name, call] of Object.entries(calls))
      t.throws(call, { name: 'ShapeError', message: /expected integers from 0 up/ }, `${name} ${shape}`)
  }
  t.same(runtime.empty([]).size, 1)
})

t.test('an element type that does not exist is refused', async (t) => {
  for (const dtype of ['f64', 'float32', 'constructor'] as unknown as DType[]) {
    const wanted = { name: 'TypeError', message: `dtype: "${dtype}"; expected f32, f16, u32 or i32` }
    t.throws(() => runtime.zeros([2], dtype), wanted)
    t.throws(() => runtime.tensor([1, 2], [2], dtype), wanted)
  }
})

t.test('a captured step is not run over a tensor that was freed since', async (t) => {
  const x = runtime.tensor([3], [1])
  const step = captureStep(runtime, () => [add(x, x)])
  t.same(await step.run()[0].read(), [6])
  x.dispose()
  runtime.tensor([50], [1])
  t.throws(() => step.run(), { name: 'DeviceError', message: /add: a tensor .* was freed/ })
  step.memory.release()
})

t.test('a result of a captured step cannot be used before it ran', async (t) => {
  const x = runtime.tensor([3], [1])
  const step = captureStep(runtime, () => [add(x, x)])
  const wanted = { name: 'DeviceError', message: /a captured step has not run/ }
  await t.rejects(step.results[0].read(), wanted)
  t.throws(() => add(step.results[0], x), wanted)
  t.same(await step.run()[0].read(), [6])
  step.memory.release()
})

t.test('a closed runtime says so', async (t) => {
  const closed = await openDevice()
  const x = closed.tensor([1], [1])
  const reading = x.read()
  closed.close()
  const wanted = { name: 'DeviceError', message: /the runtime is closed/ }
  await t.rejects(reading, wanted)
  await t.rejects(x.read(), wanted)
  await t.rejects(closed.finish(), wanted)
  t.throws(() => closed.write(x, [2]), wanted)
  t.throws(() => closed.tensor([1], [1]), wanted)
  t.throws(() => add(x, x), wanted)
  t.doesNotThrow(() => closed.close())
})

import t from 'tap'
import { perValueKernel, writable } from '../../kernels/perValue.js'
import { openDevice } from '../../src/engine/device.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

/** Queues `dispatches` kernels said to take `flops` each, and tells how many submits that made by itself. */
function submitsOf(dispatches: number, flops: number): number {
  const x = runtime.zeros([64])
  const kernel = perValueKernel(runtime.caps, {
    name: 'submitsTest',
    values: 64,
    width: 1,
    stored: 'f32',
    buffers: [writable('x')],
    statement: 'x[index] = 1.0;',
    cost: { flops, bytes: 256 },
  })
  runtime.flush()
  const before = runtime.counters.submits
  for (let i = 0; i < dispatches; i++) runtime.dispatch(kernel, [x])
  return runtime.counters.submits - before
}

t.test('small work is handed to the device 256 dispatches at a time', async (t) => {
  t.equal(submitsOf(255, 1e6), 0)
  t.equal(submitsOf(600, 1e6), 2)
})

t.test('large work is handed over before a submit would take seconds on a slow GPU', async (t) => {
  t.equal(submitsOf(10, 1e11), 2)
  t.equal(submitsOf(3, 1e12), 3)
})

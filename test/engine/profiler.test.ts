import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { gelu } from '../../src/engine/ops/gelu.js'
import { matmul } from '../../src/engine/ops/matmul.js'
import { Profiler } from '../../src/engine/profiler.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())
const skip = runtime.caps.timestampQuery ? false : 'this adapter has no timestamp-query'

t.test('every dispatch is timed and set against its cost', { skip }, async (t) => {
  const profiler = new Profiler(runtime.device)
  runtime.profiler = profiler
  const a = runtime.zeros([128, 128])
  const repeats = 3
  const started = performance.now()
  for (let i = 0; i < repeats; i++) gelu(matmul(a, a))
  runtime.flush()
  const rows = await profiler.rows()
  const wall = performance.now() - started
  const product = rows.find(({ name }) => name.startsWith('matmul'))!
  const activation = rows.find(({ name }) => name.startsWith('gelu'))!
  t.equal(product.dispatches, repeats)
  t.equal(activation.dispatches, repeats)
  for (const row of [product, activation]) {
    t.ok(row.milliseconds > 0 && row.milliseconds <= wall, `${row.name}: ${row.milliseconds} of ${wall} ms`)
  }
  const flops = (product.gflops * product.milliseconds) / 1000
  t.ok(Math.abs(flops / ((repeats * 2 * 128 ** 3) / 1e9) - 1) < 1e-6, 'GFLOP/s times seconds is the work')
  t.same(await profiler.rows(), [], 'a second call starts from nothing')
  runtime.profiler = null
})

t.test('a whole pass can be timed, where dispatches are too short for the clock', { skip }, async (t) => {
  const profiler = new Profiler(runtime.device, 'pass')
  runtime.flush()
  runtime.profiler = profiler
  const x = runtime.zeros([100_000])
  for (let i = 0; i < 100; i++) gelu(x)
  runtime.flush()
  runtime.profiler = null
  const [pass, ...others] = await profiler.rows()
  t.same(others, [])
  t.equal(pass.dispatches, 1)
  t.ok(pass.milliseconds > 0, `${pass.milliseconds} ms for 100 dispatches`)
  profiler.destroy()
})

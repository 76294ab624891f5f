import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Kernel } from '../../kernels/kernel.js'
import { perValueKernel, readOnly, writable } from '../../kernels/perValue.js'
import { type CapturedStep, captureStep } from '../../src/engine/capturedStep.js'
import { openDevice } from '../../src/engine/device.js'
import { Profiler } from '../../src/engine/profiler.js'
import { StepMemory } from '../../src/engine/stepMemory.js'
import { DeviceTimer, type StepTimer } from '../../src/engine/stepTimer.js'
import type { Tensor } from '../../src/engine/tensor.js'
import { autotune, type StoredChoices } from '../../src/engine/tuner.js'
import { openVariantStore } from '../../src/engine/variantStore.node.js'
import { type KernelClass, type Tunable, VariantTable } from '../../src/engine/variants.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

const TURNS = 100

/** Ways to double numbers. */
const doublings: Record<string, string> = {
  slow: loop(TURNS),
  fast: 'y[index] = 2.0 * x[index];',
  faster: 'y[index] = x[index] + x[index];',
  wrong: 'y[index] = 2.01 * x[index];',
  forgetful: 'if (index % 2u == 0u) { y[index] = 2.0 * x[index]; }',
  nan: 'y[index] = bitcast<f32>(0x7fc00000u + u32(x[index] == 5.0));',
  broken: 'y[index] = not_a_function(x[index]);',
}

/**
 * A long way to the same value, which no compiler shortens: the sine of each turn is far too small to count.
 */
function loop(turns: number): string {
  return `
  var sum = x[index];
  for (var turn = 0u; turn < ${turns}u; turn++) { sum += sin(sum + f32(turn)) * 1.0e-30; }
  y[index] = sum + x[index];`
}

function doubleKernel(size: number, variant: string, text: string): Kernel {
  return perValueKernel(runtime.caps, {
    name: `double.${variant}`,
    variant: text,
    values: size,
    width: 1,
    stored: 'f32',
    buffers: [readOnly('x'), writable('y')],
    statement: text,
    cost: { flops: size * (variant === 'slow' ? TURNS : 1), bytes: 8 * size },
  })
}

/** Doubling as a family with the named variants, the first being the fixed table's. */
class Doubling implements Tunable<number, Tensor> {
  readonly family = 'double'
  constructor(
    readonly variants: readonly string[],
    readonly texts = doublings,
  ) {}

  shapeClass(size: number) {
    return String(Math.ceil(Math.log2(size)))
  }

  candidates() {
    return this.variants
  }

  flops(size: number) {
    return size
  }

  operands(size: number) {
    return [{ shape: [size], dtype: 'f32' as const }]
  }

  run(size: number, variant: string, [x]: readonly Tensor[]) {
    const y = runtime.empty([size])
    runtime.dispatch(doubleKernel(size, variant, this.texts[variant]), [x, y])
    return [y]
  }
}

function classesOf(doubling: Doubling, sizes: readonly number[]): KernelClass<Tensor>[] {
  return runtime.variants.askedBy(() => {
    for (const size of sizes) runtime.variants.choose(doubling, size)
  })
}

/**
 * Runs steps, and lets each operation of their kernels take a nanosecond: who is faster does not depend on
 * what else the machine does.
 */
class CountingTimer implements StepTimer {
  readonly roundMs = 1
  #clock = 0
  readonly now = () => this.#clock

  async time(step: CapturedStep, repeats: number) {
    for (let i = 0; i < repeats; i++) step.run()
    const milliseconds = step.kernels.reduce((sum, { cost }) => sum + cost.flops, 0) / 1e6
    this.#clock += repeats * milliseconds
    return milliseconds
  }

  close() {}
}

function settle(doubling: Doubling, stored: StoredChoices = {}, budgetMs = 60_000) {
  return autotune(runtime, classesOf(doubling, [30_000]), stored, budgetMs, new CountingTimer())
}

const name = 'double 15'

t.test('a clearly faster candidate replaces the fixed choice', async (t) => {
  const tuning = await settle(new Doubling(['slow', 'fast']))
  t.same(tuning.choices, { [name]: 'fast' })
  t.equal(tuning.fresh[name].variant, 'fast')
  t.equal(tuning.measured, 1)
  t.same(tuning.warnings, [])
})

t.test('the fixed choice stays where the others are slower', async (t) => {
  t.same((await settle(new Doubling(['fast', 'slow']))).choices, { [name]: 'fast' })
})

t.test('a candidate that computes something else is demoted, with a warning that names it', async (t) => {
  for (const variant of ['wrong', 'forgetful', 'nan', 'broken']) {
    const { choices, warnings } = await settle(new Doubling(['slow', variant]))
    t.same(choices, { [name]: 'slow' }, variant)
    t.equal(warnings.length, 1, variant)
    t.match(warnings[0], new RegExp(`^${name}: variant ${variant} is not used: `))
  }
  await t.resolves(runtime.finish(), 'a text that does not compile does no harm')
})

t.test('stored choices are taken over without running anything', async (t) => {
  const doubling = new Doubling(['slow', 'fast'])
  const { fresh } = await settle(doubling)
  const { dispatches } = runtime.counters
  const again = await settle(doubling, fresh)
  t.same(again.choices, { [name]: 'fast' })
  t.same(again.fresh, {})
  t.equal(again.measured, 0)
  t.equal(runtime.counters.dispatches, dispatches)
})

t.test('a changed text, a new variant or one that is gone is measured anew', async (t) => {
  const { fresh } = await settle(new Doubling(['slow', 'fast']))
  const changed = [
    new Doubling(['slow', 'fast'], { ...doublings, fast: doublings.faster }),
    new Doubling(['slow', 'fast', 'faster']),
    new Doubling(['slow', 'faster']),
  ]
  for (const doubling of changed) t.equal((await settle(doubling, fresh)).measured, 1)
})

t.test('classes that the budget does not reach keep the fixed choice, now and later', async (t) => {
  const doubling = new Doubling(['slow', 'fast'])
  const { choices, measured, tunable, fresh } = await settle(doubling, {}, 0)
  t.same(choices, { [name]: 'slow' })
  t.same({ measured, tunable }, { measured: 0, tunable: 1 })
  t.same((await settle(doubling, fresh)).choices, { [name]: 'slow' })
})

t.test('tuning gives back the memory it took', async (t) => {
  const before = runtime.memory.usage.bufferBytes
  await settle(new Doubling(['slow', 'fast', 'wrong']))
  t.equal(runtime.memory.usage.bufferBytes, before)
  t.equal(runtime.profiler, null)
})

t.test("by the device's own clock any candidate may win, and none costs memory", async (t) => {
  const doubling = new Doubling(['slow', 'fast'])
  const before = runtime.memory.usage.bufferBytes
  const { choices, measured } = await autotune(
    runtime,
    classesOf(doubling, [30_000]),
    {},
    Number.POSITIVE_INFINITY,
  )
  t.ok(doubling.variants.includes(choices[name]!), choices[name])
  t.equal(measured, 1)
  t.equal(runtime.memory.usage.bufferBytes, before)
  t.equal(runtime.profiler, null)
})

/** The time of a doubling, on a wall clock that goes on by 40 ms whenever it is read. */
async function timed(): Promise<{ milliseconds: number; roundMs: number }> {
  const doubling = new Doubling(['slow'])
  const [x, memory] = [runtime.zeros([30_000]), new StepMemory(runtime)]
  const step = captureStep(runtime, () => doubling.run(30_000, 'slow', [x]), memory)
  let clock = 0
  const timer = new DeviceTimer(runtime, () => (clock += 40))
  const milliseconds = await timer.time(step, 4)
  const { roundMs } = timer
  timer.close()
  memory.release()
  x.dispose()
  return { milliseconds, roundMs }
}

const noTimestamps = runtime.caps.timestampQuery ? false : 'this adapter has no timestamp-query'

t.test("where there are timestamps, the device's clock counts", { skip: noTimestamps }, async (t) => {
  const { milliseconds, roundMs } = await timed()
  t.ok(milliseconds > 0)
  t.not(milliseconds, 10)
  t.equal(roundMs, 3)
})

t.test('where timestamps stand still, the wall clock counts, in longer rounds', async (t) => {
  const { rows } = Profiler.prototype
  // As Metal of macOS 26 gives them.
  Profiler.prototype.rows = async function (this: Profiler) {
    return (await rows.call(this)).map((row) => ({ ...row, milliseconds: 0 }))
  }
  t.teardown(() => {
    Profiler.prototype.rows = rows
  })
  t.same(await timed(), { milliseconds: 10, roundMs: 20 })
})

t.test('a rehearsal shows the classes that are asked for, those with most work first', async (t) => {
  const classes = classesOf(new Doubling(['fast']), [100, 7000, 120, 8000, 7000])
  t.same(
    classes.map(({ name, spec, flops }) => ({ name, spec, flops })),
    [
      { name: 'double 13', spec: 8000, flops: 22_000 },
      { name: 'double 7', spec: 120, flops: 220 },
    ],
    'the largest piece of work stands for its class',
  )
})

t.test('the fixed table holds where there is no choice, or one that cannot run', async (t) => {
  const table = new VariantTable(runtime.caps)
  const doubling = new Doubling(['slow', 'fast'])
  t.equal(table.choose(doubling, 8), 'slow')
  table.use({ 'double 3': 'fast', 'double 4': 'no longer there' })
  t.equal(table.choose(doubling, 8), 'fast')
  t.equal(table.choose(doubling, 16), 'slow')
})

t.test('a store keeps the choices of each adapter, and adds to them', async (t) => {
  const folder = join(t.testdir(), 'made', 'when needed')
  const store = openVariantStore(folder)
  t.same(await store.load('A'), {})
  const choice = (variant: string) => ({ variant, kernels: 'f00' })
  await store.save('A', { one: choice('x'), two: choice('x') })
  await store.save('B', { one: choice('y') })
  await store.save('A', { two: choice('z') })
  const reopened = openVariantStore(folder)
  t.same(await reopened.load('A'), { one: choice('x'), two: choice('z') })
  t.same(await reopened.load('B'), { one: choice('y') })
  t.same(readdirSync(folder), ['variants.json'], 'nothing else is left behind')
})

t.test('what several processes store at once is all kept', async (t) => {
  const folder = t.testdir()
  const names = Array.from({ length: 8 }, (_, at) => `class ${at}`)
  const choice = { variant: 'x', kernels: 'f00' }
  await Promise.all(names.map((name) => openVariantStore(folder).save('A', { [name]: choice })))
  t.same(Object.keys(await openVariantStore(folder).load('A')).sort(), names)
})

t.test('a damaged store is said to be so, and replaced', async (t) => {
  for (const text of ['{"A": {"one"', '[]', '{"A": 3}', '{"A": {"one": {"variant": 3}}}']) {
    const folder = t.testdir({ 'variants.json': text })
    const store = openVariantStore(folder)
    await t.rejects(store.load('A'), { name: 'VariantStoreError', message: store.place }, text)
    await store.save('A', {})
    t.same(await store.load('A'), {})
  }
})

t.test('a folder that cannot be is an error that names it', async (t) => {
  const store = openVariantStore(join(t.testdir({ file: '' }), 'file'))
  await t.rejects(store.load('A'), { name: 'VariantStoreError', message: store.place })
  await t.rejects(store.save('A', {}), { name: 'VariantStoreError', message: store.place })
})

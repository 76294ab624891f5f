import { deepEqual, ok, throws } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { fromHalf, toHalf } from '../../src/engine/float16.js'
import type { DType, HostNumbers } from '../../src/engine/hostArrays.js'
import { allocatePersistent, ParameterArena } from '../../src/engine/parameters.js'

// Whatever kind of array the host gives: a tensor holds its numbers, or nothing is written at all.

const runtime = await openDevice()
t.teardown(() => runtime.close())

/** Every kind of typed array that holds numbers, and plain arrays. */
const kinds = {
  Int8Array: fc.int8Array({ minLength: 1 }),
  Uint8Array: fc.uint8Array({ minLength: 1 }),
  Uint8ClampedArray: fc.uint8ClampedArray({ minLength: 1 }),
  Int16Array: fc.int16Array({ minLength: 1 }),
  Uint16Array: fc.uint16Array({ minLength: 1 }),
  Int32Array: fc.int32Array({ minLength: 1 }),
  Uint32Array: fc.uint32Array({ minLength: 1 }),
  Float32Array: fc.float32Array({ minLength: 1 }),
  Float64Array: fc.float64Array({ minLength: 1 }),
  Array: fc.oneof(
    fc.array(fc.double(), { minLength: 1 }),
    fc.array(fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 32 - 1, 2 ** 32), {
      minLength: 1,
    }),
  ),
} satisfies Record<string, fc.Arbitrary<HostNumbers>>

const dtypes: readonly DType[] = runtime.caps.f16 ? ['f32', 'f16', 'u32', 'i32'] : ['f32', 'u32', 'i32']

/** What the device should hold for a number, or null if the type has no such number. */
const stored: Readonly<Record<DType, (value: number) => number | null>> = {
  f32: Math.fround,
  f16: (value) => fromHalf(toHalf(value)),
  u32: (value) => (value >>> 0 === value ? value : null),
  i32: (value) => ((value | 0) === value ? value : null),
}

/** Numbers as they are, with -0 as 0. */
const plain = (values: ArrayLike<number>) => Array.from(values, (value) => value + 0)

for (const dtype of dtypes) {
  for (const [kind, arbitrary] of Object.entries<fc.Arbitrary<HostNumbers>>(kinds)) {
    t.test(`${kind} into ${dtype}: the same numbers, or an error before anything is written`, async (t) => {
      const property = fc.asyncProperty(arbitrary, async (values) => {
        // Three tensors in one buffer: what overflows one reaches the next.
        const { parts } = allocatePersistent(runtime, [[4], [values.length], [300]], dtype)
        for (const part of parts) runtime.write(part, new Array(part.size).fill(7))
        const wanted = Array.from(values, (value) => stored[dtype](value))
        const refused = wanted.includes(null)
        const write = () => runtime.write(parts[1], values)
        if (refused) throws(write, /^RangeError: write: value \d+ is .*; a [ui]32 tensor takes whole numbers/)
        else write()
        const [left, middle, right] = await Promise.all(parts.map((part) => part.read()))
        deepEqual(plain(middle), refused ? wanted.map(() => 7) : plain(wanted as number[]))
        ok([...left, ...right].every((value) => value === 7))
      })
      await t.resolves(fc.assert(property, { numRuns: 8 }))
    })
  }
}

t.test('what holds no numbers is refused by its kind', async (t) => {
  const held = runtime.tensor([1, 2], [2])
  const write = (values: unknown) => () => runtime.write(held, values as HostNumbers)
  t.throws(write(new BigInt64Array(2)), { message: 'write: BigInt64Array; expected an array of numbers' })
  t.throws(write(new BigUint64Array(2)), { message: 'write: BigUint64Array; expected an array of numbers' })
  t.throws(write(new DataView(new ArrayBuffer(2))), {
    message: 'write: DataView; expected an array of numbers',
  })
  t.throws(write([1, undefined]), { message: 'write: value 1 is undefined; expected a number' })
  t.throws(write([[1], [2]]), { message: 'write: value 0 is 1; expected a number' })
  t.throws(write('ab'), { message: 'write: String; expected an array of numbers' })
  t.throws(write([1, 2, 3]), { message: 'write: tensor [2] expects 2 values, got 3' })
  t.same(await held.read(), Float32Array.of(1, 2))
})

t.test('a tensor that is refused its values leaves no memory behind', async (t) => {
  const { liveBytes } = runtime.memory.usage
  t.throws(() => runtime.tensor([1.5], [1], 'u32'), /takes whole numbers/)
  t.throws(() => runtime.tensor([1, 2], [3]), /expects 3 values, got 2/)
  t.equal(runtime.memory.usage.liveBytes, liveBytes)
})

t.test('start values of parameters are converted too', async (t) => {
  const values = Float64Array.of(1, 2.5, -3)
  const specs = ['a', 'b'].map((name) => ({ name, shape: [3], init: { kind: 'values' as const, values } }))
  const arena = new ParameterArena(runtime, specs)
  arena.initialise(specs, 0)
  for (const name of ['a', 'b']) t.same(await arena.get(name).read(), Float32Array.of(1, 2.5, -3))
})

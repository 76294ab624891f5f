import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { writeAtomically } from '../../src/atomicWrite.node.js'
import {
  assertFinite,
  decodeSafetensors,
  encodeSafetensors,
  type SafeTensor,
} from '../../src/train/checkpoint/safetensors.js'
import { readSafetensors, writeSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import type { TensorArray } from '../../src/train/checkpoint/storedTypes.js'

function encode(tensors: Record<string, SafeTensor>, metadata?: Record<string, string>): Uint8Array {
  return Buffer.concat([...encodeSafetensors(new Map(Object.entries(tensors)), metadata)])
}

/** A file with this header and so many data bytes. */
function file(header: unknown, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, data])
}

const values: fc.Arbitrary<TensorArray> = fc.oneof(
  fc.float32Array({ maxLength: 20 }),
  fc.int32Array({ maxLength: 20 }),
  fc.uint32Array({ maxLength: 20 }),
  fc.uint8Array({ maxLength: 20 }),
)
const tensors = fc.dictionary(
  fc.string({ minLength: 1 }).filter((name) => name !== '__metadata__' && name !== '__proto__'),
  values.map((data) => ({ shape: [data.length], data })),
)

t.test('what is written is read again, bit for bit', async (t) => {
  fc.assert(
    fc.property(tensors, fc.dictionary(fc.stringMatching(/^[a-z]+$/), fc.string()), (tensors, metadata) => {
      const read = decodeSafetensors(encode(tensors, metadata), 'x')
      t.same(read.metadata, { ...metadata })
      t.equal(read.tensors.size, Object.keys(tensors).length)
      for (const [name, { data, shape }] of read.tensors) {
        t.same(shape, tensors[name].shape)
        t.equal(data.constructor, tensors[name].data.constructor)
        t.ok(
          Buffer.from(data.buffer, data.byteOffset, data.byteLength).equals(
            Buffer.from(tensors[name].data.buffer),
          ),
        )
      }
    }),
    { numRuns: 60 },
  )
})

const sizes: Record<string, number> = {
  ...{ F16: 2, BF16: 2, F64: 8 },
  ...{ I8: 1, I16: 2, I64: 8, U16: 2, U64: 8, BOOL: 1 },
}

t.test('half, bfloat, double and 64-bit values become what the engine has', async (t) => {
  const read = (dtype: string, data: ArrayBufferView) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const shape = [data.byteLength / sizes[dtype]!]
    const header = { w: { dtype, shape, data_offsets: [0, data.byteLength] } }
    return [...(decodeSafetensors(file(header, bytes), 'x.st').tensors.get('w')?.data ?? [])]
  }
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000, 0x3555)
  t.same(read('F16', halves), [1, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY, -0, 0.333251953125])
  t.same(read('BF16', Uint16Array.of(0x3f80, 0xc0a0)), [1, -5])
  t.same(read('F64', Float64Array.of(0.5, -3)), [0.5, -3])
  t.same(read('I64', BigInt64Array.of(-7n, 40n)), [-7, 40])
  t.same(read('I8', Int8Array.of(-7, 40)), [-7, 40])
  t.same(read('I16', Int16Array.of(-700, 40)), [-700, 40])
  t.same(read('U16', Uint16Array.of(65535)), [65535])
  t.same(read('U64', BigUint64Array.of(2n ** 32n - 1n)), [2 ** 32 - 1])
  t.same(read('BOOL', Uint8Array.of(0, 1)), [0, 1])
  t.throws(() => read('U64', BigUint64Array.of(2n ** 32n)), { message: /tensor w: 4294967296 does not fit/ })
  t.throws(() => read('I64', BigInt64Array.of(2n ** 40n)), {
    message: /x\.st: tensor w: 1099511627776 does not fit/,
  })
})

t.test('a damaged file is refused with the file, the tensor and what was expected', async (t) => {
  const entry = (dtype: string, shape: number[], ...data_offsets: number[]) => ({
    dtype,
    shape,
    data_offsets,
  })
  const eight = new Uint8Array(8)
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(3), /x\.st: not a safetensors file: it has only 3 bytes/],
    [
      new TextEncoder().encode('PK\x03\x04 a zip file, really'),
      /x\.st: not a safetensors file but a PyTorch checkpoint/,
    ],
    [new Uint8Array(9).fill(255), /x\.st: not a safetensors file: its header would have/],
    [file('{"w": 1, "w": 2}'), /header: key "w" is repeated/],
    [file('{"w": {"dtype": "F32", "\\u0064type": "I32"}}'), /header: key "dtype" is repeated/],
    [file(`{"a": "${'\\"'.repeat(3e6)}", "a": 1}`), /header: key "a" is repeated/],
    [file('{}').subarray(0, 9), /x\.st: truncated: the header ends at byte 10, the file at 9/],
    [file('{"w":'), /the header is not JSON/],
    [file({ w: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }), /header at "w\.shape\.0"/],
    [file({ w: entry('F32', [1], 0) }), /header at "w\.data_offsets/],
    [file({ __metadata__: { a: 1 } }), /header at "__metadata__\.a"/],
    [file({ w: entry('F8_E4M3', [4], 0, 4) }), /tensor w: type F8_E4M3 is not supported; expected F32/],
    [
      file({ w: entry('F32', [3], 0, 8) }, eight),
      /tensor w: F32 \[3\] needs 12 bytes, but its offsets span 8/,
    ],
    [file({ w: entry('F32', [4], 0, 16) }, eight), /truncated: its tensors end at byte/],
    [file({ w: entry('F32', [1], 0, 4) }, eight), /4 bytes follow the last tensor/],
    [file({ v: entry('F32', [2], 0, 8), w: entry('F32', [1], 4, 8) }, eight), /tensor w overlaps/],
    [file({ w: entry('F32', [1], 4, 8) }, eight), /tensor w leaves a gap/],
  ]
  for (const [bytes, message] of cases)
    t.throws(() => decodeSafetensors(bytes, 'x.st'), { name: 'UserError', message }, String(message))
})

t.test('no prefix and no changed length of a good file is taken for one', async (t) => {
  const good = encode({ w: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) } })
  fc.assert(
    fc.property(fc.nat(good.length - 1), (length) => {
      t.throws(() => decodeSafetensors(good.subarray(0, length), 'x'), { name: 'UserError' })
    }),
  )
})

t.test('values that do not fill their shape are a mistake of the writer', async (t) => {
  t.throws(() => encode({ w: { shape: [2], data: Float32Array.of(1) } }), { message: /w has 1 values/ })
})

t.test('NaN and infinity are found by name and place', async (t) => {
  assertFinite('w', [1, -2])
  t.throws(() => assertFinite('a.safetensors: head.weight', [1, Number.NaN]), {
    name: 'UserError',
    message: 'a.safetensors: head.weight: value 1 is NaN; expected finite numbers',
  })
})

t.test('files are written and read tensor by tensor', async (t) => {
  const path = `${t.testdir()}/w.safetensors`
  const tensors = new Map([
    ['b', { shape: [1], data: Uint8Array.of(9) }],
    ['w', { shape: [2], data: Float32Array.of(1, 2) }],
  ])
  await writeSafetensors(path, tensors, { step: '7' })
  const read = await readSafetensors(path)
  t.same(read.metadata, { step: '7' })
  t.same([...(read.tensors.get('w')?.data ?? [])], [1, 2])
  t.same([...(read.tensors.get('b')?.data ?? [])], [9])
  await t.rejects(readSafetensors(`${path}.none`), { name: 'UserError', message: /\.none: no such file/ })
  await t.rejects(readSafetensors(t.testdir()), { name: 'UserError' })
})

t.test('a write that fails leaves the old file and nothing else', async (t) => {
  const folder = t.testdir({ 'a.bin': 'old' })
  const failing = (code: string) =>
    (async function* () {
      yield Uint8Array.of(1, 2, 3)
      throw Object.assign(new Error(code), { code })
    })()
  await t.rejects(writeAtomically(`${folder}/a.bin`, failing('ENOSPC')), {
    name: 'UserError',
    message: /a\.bin: disk full/,
  })
  t.equal(readFileSync(`${folder}/a.bin`, 'utf8'), 'old')
  t.same(readdirSync(folder), ['a.bin'])
  await t.rejects(writeAtomically(`${folder}/none/a.bin`, []), { message: /folder .*none does not exist/ })
  await writeAtomically(`${folder}/a.bin`, [Buffer.from('ne'), Buffer.from('w')])
  t.equal(readFileSync(`${folder}/a.bin`, 'utf8'), 'new')
})

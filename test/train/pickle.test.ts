import fc from 'fast-check'
import t from 'tap'
import { PickleError, type PyValue, unpickle } from '../../src/train/checkpoint/torch/pickle.js'
import { isAllowedGlobal } from '../../src/train/checkpoint/torch/torchGlobals.js'
import { readEntryBytes, readZipDirectory } from '../../src/train/checkpoint/torch/zipDirectory.js'
import * as p from './torchPieces.js'

function read(bytes: Uint8Array): PyValue {
  return unpickle(bytes, 0, isAllowedGlobal).value
}

/** The value, or the message of its PickleError. Any other error is a fault. */
function valueOrMessage(bytes: Uint8Array): PyValue {
  try {
    return read(bytes)
  } catch (error) {
    if (error instanceof PickleError) return error.message
    throw error
  }
}

async function fixturePickle(file: string, name: string): Promise<Uint8Array> {
  const archive = p.memoryFile(file, p.fixture(file))
  return readEntryBytes(archive, (await readZipDirectory(archive)).get(name)!)
}

type Plain = null | boolean | number | string | Plain[] | { [name: string]: Plain }

/** Operations that make this value. */
function operations(value: Plain): Uint8Array {
  if (value === null) return Uint8Array.of(p.NONE)
  if (typeof value === 'boolean') return Uint8Array.of(value ? 0x88 : 0x89)
  if (typeof value === 'string') return p.str(value)
  if (Array.isArray(value))
    return p.joined(p.EMPTY_LIST, p.MARK, ...value.map((item) => operations(item)), p.APPENDS)
  if (typeof value === 'object')
    return p.dict(Object.fromEntries(Object.entries(value).map(([name, item]) => [name, operations(item)])))
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return p.int(value)
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return p.joined(0x47, bytes)
}

function asMaps(value: Plain): PyValue {
  if (Array.isArray(value)) return value.map(asMaps)
  if (value === null || typeof value !== 'object') return value
  return new Map(Object.entries(value).map(([name, item]) => [name, asMaps(item)]))
}

const { value: plain } = fc.letrec<{ value: Plain }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
}))

t.test('plain values are read as they were written', async (t) => {
  fc.assert(fc.property(plain, (value) => t.strictSame(read(p.pickle(operations(value))), asMaps(value))))
})

t.test('integers keep all their digits', async (t) => {
  const long = (...digits: number[]) => read(p.pickle(Uint8Array.of(0x8a, digits.length, ...digits)))
  t.equal(long(), 0)
  t.equal(long(0xff), -1)
  t.equal(long(0xff, 0), 255)
  t.equal(long(0, 0, 0, 0, 0, 0, 0, 0x80), -(2n ** 63n))
  t.equal(long(0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19), 0x1950a86a20f9469cfc6cn)
})

t.test('names of functions that act are refused, however they are written', async (t) => {
  const hostile = [
    ['os', 'system'],
    ['posix', 'system'],
    ['nt', 'system'],
    ['builtins', 'eval'],
    ['builtins', 'exec'],
    ['builtins', 'getattr'],
    ['__builtin__', 'eval'],
    ['subprocess', 'Popen'],
    ['torch', 'os.system'],
    ['torch.hub', 'load'],
    ['torch', 'load'],
    ['torch.FloatStorage', '__class__'],
    ['torch', 'constructorStorage'],
    ['numpy', 'load'],
    ['', ''],
    ['__proto__', 'constructor'],
  ]
  for (const [module, name] of hostile) {
    const command = p.tuple(p.str('echo'))
    const message = `its pickle refers to "${module}.${name}"; expected only tensors and plain values`
    t.equal(valueOrMessage(p.pickle(p.global(module, name), command, p.REDUCE)), message)
    t.equal(valueOrMessage(p.pickle(p.str(module), p.str(name), p.STACK_GLOBAL, command, p.REDUCE)), message)
  }
})

t.test('a long name is cut in the message', async (t) => {
  const message = valueOrMessage(p.pickle(p.global('os', 'x'.repeat(1e6))))
  t.match(message, /refers to "os\.x+…"; expected/)
  t.ok(String(message).length < 200)
})

t.test('the extension registry and text forms are unknown', async (t) => {
  for (const code of [0x82, 0x83, 0x84, 0x69, 0x6f, 0x50, 0x49, 0x53, 0x00, 0xff])
    t.match(valueOrMessage(p.pickle(code)), /^unknown pickle opcode 0x[0-9a-f]+ at byte 2$/)
})

/** Memo 0 is a list; memo n is a list of memo n - 1 twice: 2^depth items if it were written out. */
function laughs(depth: number): Uint8Array {
  const level = (n: number) =>
    p.joined(p.EMPTY_LIST, p.MARK, p.binget(n - 1), p.binget(n - 1), p.APPENDS, p.binput(n))
  return p.joined(
    p.EMPTY_LIST,
    p.binput(0),
    ...Array.from({ length: depth }, (_, i) => level(i + 1)).flatMap((list) => [list, p.POP]),
    p.binget(depth),
  )
}

t.test('values that contain themselves, or each other again and again, take no time', async (t) => {
  const self = read(p.pickle(p.EMPTY_DICT, p.binput(0), p.str('me'), p.binget(0), p.SETITEM)) as Map<
    PyValue,
    PyValue
  >
  t.equal(self.get('me'), self)
  const list = read(p.pickle(p.EMPTY_LIST, p.binput(0), p.binget(0), p.APPEND)) as PyValue[]
  t.equal(list[0], list)
  t.equal((read(p.pickle(laughs(200))) as PyValue[]).length, 2)
  const deep = p.joined(new Uint8Array(100_000).fill(p.EMPTY_LIST), new Uint8Array(99_999).fill(p.APPEND))
  t.equal((read(p.pickle(deep)) as PyValue[]).length, 1)
})

t.test('a name that is no string is refused without writing it out', async (t) => {
  const deep = p.joined(new Uint8Array(50_000).fill(p.EMPTY_LIST), new Uint8Array(49_999).fill(p.APPEND))
  for (const module of [laughs(40), deep, p.int(1), Uint8Array.of(p.EMPTY_DICT)])
    t.equal(
      valueOrMessage(p.pickle(module, p.str('x'), p.STACK_GLOBAL)),
      'damaged pickle: a name that is no text',
    )
})

t.test('the work is limited, also where few bytes ask for much', async (t) => {
  const pair = p.joined(p.NONE, p.NONE, p.TUPLE2, p.binput(0), p.POP)
  const pairs = 10_000
  const list = p.joined(
    p.EMPTY_LIST,
    p.MARK,
    ...Array(pairs).fill(p.binget(0)),
    p.APPENDS,
    p.TUPLE1,
    p.binput(1),
  )
  const call = p.joined(p.global('collections', 'OrderedDict'), p.binget(1), p.REDUCE, p.POP)
  const bomb = p.pickle(pair, list, ...Array(1000).fill(call))
  t.match(valueOrMessage(bomb), /^its pickle has more than \d+ operations$/)
  const many = new Uint8Array(2 ** 23).fill(p.NONE)
  t.match(valueOrMessage(p.pickle(many)), /^its pickle has more than \d+ operations$/)
})

t.test('objects are records: a call, its arguments and its state', async (t) => {
  const path = p.joined(p.global('pathlib', 'PosixPath'), p.tuple(p.str('runs')), p.REDUCE)
  t.match(read(p.pickle(path)), { type: 'pathlib.PosixPath', args: ['runs'], state: null })
  const namespace = p.joined(p.global('argparse', 'Namespace'), p.EMPTY_TUPLE, 0x81)
  const state = p.dict({ blr: p.int(3) })
  t.match(read(p.pickle(namespace, state, p.BUILD)), {
    type: 'argparse.Namespace',
    state: new Map([['blr', 3]]),
  })
})

t.test('a pickle that ends early says so, at whichever byte', async (t) => {
  for (const [file, name] of [
    ['varied.pth', 'varied/data.pkl'],
    ['zip64.pth', 'archive/data.pkl'],
  ]) {
    const whole = await fixturePickle(file, name)
    t.doesNotThrow(() => read(whole))
    const messages = new Set<PyValue>()
    for (let length = 0; length < whole.length; length++)
      messages.add(valueOrMessage(whole.subarray(0, length)))
    t.ok([...messages].every((message) => /^truncated pickle: no end before byte \d+$/.test(String(message))))
  }
})

t.test('damaged pickles are refused', async (t) => {
  const refused: [RegExp, Uint8Array][] = [
    [/stack is empty/, p.pickle()],
    [/stack is empty/, p.pickle(p.APPEND)],
    [/stack is empty/, p.pickle(p.MARK, p.APPENDS, p.APPENDS)],
    [/no mark/, p.pickle(p.NONE, p.TUPLE)],
    [/memo 7 is empty/, p.pickle(p.binget(7))],
    [/memo 4294967295 is empty/, p.pickle(p.joined(0x6a, p.u32(2 ** 32 - 1)))],
    [/no list/, p.pickle(p.EMPTY_DICT, p.NONE, p.APPEND)],
    [/no dict/, p.pickle(p.EMPTY_LIST, p.NONE, p.NONE, p.SETITEM)],
    [/no dict/, p.pickle(p.EMPTY_DICT, p.MARK, p.NONE, p.SETITEMS)],
    [/no class/, p.pickle(p.NONE, p.EMPTY_TUPLE, p.REDUCE)],
    [/no class/, p.pickle(p.global('torch', 'Size'), p.NONE, p.REDUCE)],
    [/no list of pairs/, p.pickle(p.global('collections', 'OrderedDict'), p.tuple(p.int(3)), p.REDUCE)],
    // Texts, bytes and integers longer than the pickle.
    [/truncated/, p.pickle(p.joined(0x8d, p.u64(2 ** 62)))],
    [/truncated/, p.pickle(p.joined(0x8d, new Uint8Array(8).fill(255)))],
    [/truncated/, p.pickle(p.joined(0x42, p.u32(2 ** 32 - 1)))],
    [/truncated/, p.pickle(p.joined(0x8e, p.u64(2 ** 40)))],
    [/negative length/, p.pickle(p.joined(0x54, p.u32(2 ** 32 - 1)))],
    [/negative length/, p.pickle(p.joined(0x8b, p.u32(2 ** 31)))],
    [/integer of 2147483647 bytes/, p.pickle(p.joined(0x8b, p.u32(2 ** 31 - 1)))],
  ]
  for (const [message, bytes] of refused) t.match(valueOrMessage(bytes), message)
})

t.test('any bytes give a value or a PickleError', async () => {
  const codes = fc.constantFrom(...Array.from({ length: 256 }, (_, i) => i))
  const piece = fc.oneof(
    codes.map((code) => [code]),
    fc.constantFrom(p.str('x'), p.global('collections', 'OrderedDict'), p.binput(0), p.binget(0)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      valueOrMessage(p.joined(...pieces, p.STOP))
    }),
    { numRuns: 3000 },
  )
})

t.test('a damaged byte gives another value or a PickleError', async () => {
  const whole = await fixturePickle('varied.pth', 'varied/data.pkl')
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
      const damaged = whole.slice()
      damaged[at] = byte
      valueOrMessage(damaged)
    }),
    { numRuns: 1000 },
  )
})

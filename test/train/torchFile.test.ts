import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { UserError } from '../../src/errors.js'
import { decodeValues } from '../../src/train/checkpoint/storedTypes.js'
import { isTorchFile, readTorchFile } from '../../src/train/checkpoint/torch/torchFile.js'
import type { WeightFile } from '../../src/train/checkpoint/weightFile.js'
import * as p from './torchPieces.js'

/** What PyTorch itself reads: tools/makeWeightFixtures.py. */
interface Golden {
  readonly name: string
  readonly shape: readonly number[]
  readonly type: string
  readonly sha256: string
}

function goldenOf(wanted: string): Golden[] {
  const lines = Buffer.from(p.fixture('golden.tsv')).toString().trim().split('\n')
  return lines
    .map((line) => line.split('\t'))
    .filter(([file]) => file === wanted)
    .map(([, name, shape, type, , sha256]) => ({
      name,
      shape: shape === '' ? [] : shape.split(',').map(Number),
      type,
      sha256,
    }))
}

const types: Readonly<Record<string, string>> = {
  ...{ float32: 'F32', float16: 'F16', bfloat16: 'BF16', float64: 'F64', int64: 'I64', int32: 'I32' },
  ...{ int16: 'I16', int8: 'I8', uint8: 'U8', bool: 'BOOL' },
}

function readFixture(name: string): Promise<WeightFile> {
  return readTorchFile(p.memoryFile(name, p.fixture(name)))
}

async function valuesOf(file: WeightFile, name: string): Promise<Float32Array> {
  const { type, bytes } = file.tensors.get(name)!
  return Float32Array.from(decodeValues(type, await bytes(), name))
}

async function matches(t: Test, file: WeightFile, golden: readonly Golden[]): Promise<void> {
  t.same(
    [...file.tensors].map(([name, { shape, type }]) => [name, shape, type]),
    golden.map(({ name, shape, type }) => [name, shape, types[type]]),
  )
  for (const { name, sha256 } of golden) {
    const values = await valuesOf(file, name)
    const digest = createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex')
    t.equal(digest.slice(0, 16), sha256, `${file.name}: ${name}`)
  }
}

const trained = {
  format: 'PyTorch checkpoint',
  besides: ['optimizer', 'epoch 49', 'scaler', 'args'],
  hints: { model: 'mae_vit_tiny', norm_pix_loss: true, blr: 1.5e-4, input_size: 32, mask_ratio: 0.75 },
}

t.test('a checkpoint of the authors is read to the last bit, in both formats of torch.save', async (t) => {
  for (const name of ['fmae.pth', 'legacy.pth']) {
    const file = await readFixture(name)
    t.match(file, { ...trained, name })
    t.notOk('output_dir' in file.hints || 'lr' in file.hints, 'only simple values are hints')
    await matches(t, file, goldenOf('fmae.pth'))
  }
})

t.test('all types, views and shared storages are read to the last bit', async (t) => {
  const file = await readFixture('varied.pth')
  t.same(file.besides, ['best', 'samples', 'done', 'curve'])
  await matches(t, file, goldenOf('varied.pth'))
})

t.test('names of Hugging Face and zip64 records are read to the last bit', async (t) => {
  for (const name of ['huggingFace.pth', 'zip64.pth'])
    await matches(t, await readFixture(name), goldenOf(name))
})

t.test('PyTorch files are known by their first bytes', async (t) => {
  for (const name of ['fmae.pth', 'legacy.pth', 'zip64.pth']) t.ok(isTorchFile(p.fixture(name)))
  t.notOk(isTorchFile(p.fixture('positions.safetensors')))
  t.notOk(isTorchFile(new Uint8Array(0)))
})

/** Reads a file and all its tensors. The error, which must be for the user and name the file; null if there is none. */
async function refusal(bytes: Uint8Array): Promise<string | null> {
  try {
    const { tensors } = await readTorchFile(p.memoryFile('x.pth', bytes))
    for (const { bytes } of tensors.values()) await bytes()
    return null
  } catch (error) {
    if (error instanceof UserError && error.message.startsWith('x.pth: ')) return error.message
    throw error
  }
}

t.test('other objects than weights are named', async (t) => {
  const cases: [RegExp, Uint8Array][] = [
    [/: a TorchScript program; expected weights\. Save them in Python/, p.fixture('torchScript.pth')],
    [/: a zip archive without data\.pkl/, p.zip([{ name: 'word/document.xml', bytes: p.str('x') }])],
    [/: a single tensor; expected a state dict/, p.checkpoint(p.tensor({ shape: [4], strides: [1] }))],
    [/: a list; expected a state dict/, p.checkpoint(p.EMPTY_LIST)],
    [/: a single value; expected/, p.checkpoint(p.NONE)],
    [
      /: an object of argparse\.Namespace; expected/,
      p.checkpoint(p.global('argparse', 'Namespace'), 0x29, 0x81),
    ],
    [/: no tensors; .*Fields found: none$/, p.checkpoint(p.EMPTY_DICT)],
    [/: no tensors; .*Fields found: epoch, args$/, p.checkpoint(p.dict({ epoch: p.int(3), args: p.int(1) }))],
    [/: a pickle that torch\.save did not write/, p.pickle(p.NONE)],
    [
      /: its pickle refers to "posix\.system"/,
      p.checkpoint(p.global('posix', 'system'), p.str('x'), 0x85, 0x52),
    ],
    [/: truncated pickle/, new Uint8Array(0)],
  ]
  for (const [message, bytes] of cases) t.match(await refusal(bytes), message)
})

t.test('the weights are found beside a tensor of another meaning', async (t) => {
  const model = p.dict({ w: p.tensor({ shape: [2, 2], strides: [2, 1] }) })
  const bytes = p.checkpoint(p.dict({ best: p.tensor({ shape: [1], strides: [1] }), model, epoch: p.int(3) }))
  const file = await readTorchFile(p.memoryFile('x.pth', bytes))
  t.same([...file.tensors.keys()], ['w'])
  t.same(file.besides, ['best', 'epoch 3'])
})

t.test('a long text beside the weights is not repeated', async (t) => {
  const w = p.tensor({ shape: [2], strides: [1] })
  const bytes = p.checkpoint(
    p.dict({ model: p.dict({ w }), log: p.str('x'.repeat(5000)), arch: p.str('vit') }),
  )
  t.same((await readTorchFile(p.memoryFile('x.pth', bytes))).besides, ['log', 'arch vit'])
})

t.test('a tensor that leads outside its storage is refused', async (t) => {
  const message = async (pieces: p.TensorPieces) =>
    (await refusal(p.checkpoint(p.dict({ w: p.tensor(pieces) })))) ?? 'read'
  t.equal(await message({ shape: [2, 2], strides: [1, 2] }), 'read')
  t.equal(await message({ shape: [], strides: [] }), 'read')
  t.equal(await message({ shape: [0, 2 ** 50], strides: [2 ** 50, 1] }), 'read')
  t.match(
    await message({ shape: [2], strides: [2 ** 40] }),
    /^x\.pth: tensor w: \[2\] with strides .* outside/,
  )
  t.match(await message({ shape: [2 ** 40], strides: [1] }), /leads outside its storage of 4 elements$/)
  t.match(await message({ shape: [3], strides: [1], offset: 2 }), /leads outside its storage of 4 elements$/)
  t.match(await message({ shape: [2 ** 40], strides: [0] }), /more elements than its storage, 4$/)
  t.match(await message({ shape: Array(40).fill(2 ** 40), strides: Array(40).fill(0) }), /more elements/)
  t.match(
    await message({ shape: [...Array(40).fill(2 ** 40), 0], strides: Array(41).fill(0) }),
    /more elements/,
  )
  t.match(await message({ shape: [2], strides: [-1], offset: 1 }), /shape or strides are damaged$/)
  t.match(await message({ shape: [1], strides: [1], offset: -1 }), /shape or strides are damaged$/)
  t.match(await message({ shape: [-1], strides: [1] }), /shape or strides are damaged$/)
  t.match(await message({ shape: [2, 2], strides: [1] }), /shape or strides are damaged$/)
  t.match(
    await message({ shape: Array(65).fill(1), strides: Array(65).fill(1) }),
    /shape or strides are damaged$/,
  )
  t.match(await message({ shape: [1], strides: [1], key: '9' }), /its storage 9 is missing$/)
  t.match(await message({ shape: [1], strides: [1], type: 'Size' }), /torch\.Size is not supported$/)
})

t.test('names and keys that are no text are refused, or left out without writing them out', async (t) => {
  // A tuple of two times a tuple of two times ...: written out, it has no end.
  const level = p.joined(p.TUPLE2, p.binput(0), p.POP, p.binget(0), p.binget(0))
  const laughs = p.joined(p.NONE, p.NONE, ...Array(60).fill(level), p.TUPLE2)
  const w = p.tensor({ shape: [1], strides: [1] })
  const tensorName = p.checkpoint(p.EMPTY_DICT, laughs, w, p.SETITEM)
  t.equal(await refusal(tensorName), 'x.pth: a tensor whose name is no text')
  const field = p.checkpoint(p.dict({ model: p.dict({ w }) }), laughs, p.NONE, p.SETITEM)
  t.equal(await refusal(field), null)
  const noTensors = p.checkpoint(p.EMPTY_DICT, laughs, p.NONE, p.SETITEM)
  t.match(await refusal(noTensors), /Fields found: none$/)
})

/** The five pickles of the old format, then the bytes of the storages. */
function legacy(object: Uint8Array, keys: Uint8Array, ...storages: Uint8Array[]): Uint8Array {
  const magic = Uint8Array.of(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19)
  const pickles = [magic, p.int(1001), p.dict({}), object, keys].map((part) => p.pickle(part))
  return p.joined(...pickles, ...storages)
}

t.test('the old format is refused where its storages are damaged', async (t) => {
  const w = p.dict({ w: p.tensor({ shape: [2], strides: [1] }) })
  const storage = p.joined(p.u64(2), new Uint8Array(8))
  const keys = (...names: string[]) => p.joined(p.EMPTY_LIST, p.MARK, ...names.map(p.str), p.APPENDS)
  const huge = (count: bigint) => new Uint8Array(BigInt64Array.of(count).buffer)
  t.equal(await refusal(legacy(w, keys('0'), storage)), null)
  t.match(await refusal(legacy(w, keys('0'))), /truncated/)
  t.match(await refusal(legacy(w, keys('0'), storage.subarray(0, 12))), /storage 0 has 2 elements, but/)
  t.match(await refusal(legacy(w, keys('0'), huge(2n ** 61n))), /storage 0 has 2305843009213693952 elements/)
  t.match(await refusal(legacy(w, keys('0'), huge(-1n))), /storage 0 has -1 elements/)
  t.match(await refusal(legacy(w, keys('0', '0'), storage, storage)), /storage 0 occurs twice$/)
  t.match(await refusal(legacy(w, keys('1'), storage)), /storage 1 belongs to no tensor$/)
  t.match(await refusal(legacy(w, keys(), storage)), /its storage 0 is missing$/)
  t.match(await refusal(legacy(w, p.int(3), storage)), /list of its storages is damaged$/)
  t.match(
    await refusal(legacy(w, p.joined(p.EMPTY_LIST, p.int(3), p.APPEND), storage)),
    /list of its storages/,
  )
})

t.test('a view of a storage, as PyTorch before 0.4 saves it, is refused', async (t) => {
  const view = p.tuple(p.str('7'), p.int(2), p.int(2))
  const storage = p.tuple(
    p.str('storage'),
    p.global('torch', 'FloatStorage'),
    ...['0', 'cpu'].map(p.str),
    p.int(4),
    view,
  )
  const args = p.tuple(p.joined(storage, p.BINPERSID), p.int(0), p.tuple(p.int(2)), p.tuple(p.int(1)))
  const w = p.joined(p.global('torch._utils', '_rebuild_tensor_v2'), args, p.REDUCE)
  t.match(await refusal(p.checkpoint(p.dict({ w }))), /^x\.pth: tensor w: its storage is a view/)
})

t.test('a file that ends early says so, wherever it ends', async (t) => {
  const zip = p.fixture('zip64.pth')
  // Shorter ones are not known as an archive.
  for (let length = 4; length < zip.length; length++)
    t.match(await refusal(zip.subarray(0, length)), /^x\.pth: truncated/)
  const old = p.fixture('legacy.pth')
  for (let length = 0; length < old.length; length += length < 1000 ? 1 : 997)
    t.match(await refusal(old.subarray(0, length)), /^x\.pth: truncated/)
})

t.test('damaged bytes give other weights or one error that names the file', async () => {
  for (const name of ['zip64.pth', 'varied.pth', 'legacy.pth']) {
    const whole = p.fixture(name)
    const changes = fc.array(fc.tuple(fc.nat(Math.min(whole.length, 12_000) - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 3,
    })
    await fc.assert(
      fc.asyncProperty(changes, async (changed) => {
        const damaged = whole.slice()
        for (const [at, byte] of changed) damaged[at] = byte
        await refusal(damaged)
      }),
      { numRuns: 300 },
    )
  }
})

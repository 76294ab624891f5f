import fc from 'fast-check'
import t, { type Test } from 'tap'
import { UserError } from '../../src/errors.js'
import { readEntryBytes, readZipDirectory } from '../../src/train/checkpoint/torch/zipDirectory.js'
import * as p from './torchPieces.js'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const bytesOf = (content: string) => new Uint8Array(Buffer.from(content))

async function contents(archive: Uint8Array): Promise<Record<string, string>> {
  const file = p.memoryFile('x.pth', archive)
  const found: [string, string][] = []
  for (const [name, entry] of await readZipDirectory(file))
    found.push([name, text(await readEntryBytes(file, entry))])
  return Object.fromEntries(found)
}

/** Rejects with one error that names the file. */
async function refused(t: Test, archive: Uint8Array, message: RegExp): Promise<void> {
  const error = await contents(archive).catch((error: unknown) => error)
  t.ok(error instanceof UserError, String(error))
  t.match(error, { message: /^x\.pth: / })
  t.match(error, { message })
}

const two = [
  { name: 'a/first', bytes: bytesOf('one') },
  { name: 'a/second', bytes: bytesOf('two two') },
]

t.test('entries are found by name, whatever their number and length', async (t) => {
  t.same(await contents(p.zip(two)), { 'a/first': 'one', 'a/second': 'two two' })
  t.same(await contents(p.zip([])), {})
  const entries = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1, unit: 'grapheme-ascii' }), fc.string()), {
    selector: ([name]) => name,
    maxLength: 30,
  })
  await fc.assert(
    fc.asyncProperty(entries, async (entries) => {
      const archive = p.zip(entries.map(([name, content]) => ({ name, bytes: bytesOf(content) })))
      t.same(await contents(archive), { ...Object.fromEntries(entries) })
    }),
    { numRuns: 50 },
  )
})

t.test('a part of an entry is read', async (t) => {
  const file = p.memoryFile('x.pth', p.zip(two))
  const entry = (await readZipDirectory(file)).get('a/second')!
  t.equal(text(await readEntryBytes(file, entry, 4, 2)), 'tw')
})

t.test('an archive with a comment is read', async (t) => {
  const archive = p.zip(two)
  new DataView(archive.buffer).setUint16(archive.length - 2, 5, true)
  t.same(Object.keys(await contents(p.joined(archive, bytesOf('hello')))), ['a/first', 'a/second'])
})

t.test('sizes and positions are read from zip64 records', async (t) => {
  const file = p.memoryFile('zip64.pth', p.fixture('zip64.pth'))
  const entries = await readZipDirectory(file)
  t.same(
    [...entries.values()].map(({ name, size }) => [name, size]),
    [
      ['archive/data.pkl', 227],
      ['archive/data/0', 12],
      ['archive/data/1', 16],
      ['archive/version', 2],
    ],
  )
  const values = await readEntryBytes(file, entries.get('archive/data/0')!)
  t.same([...new Float32Array(values.buffer)], [0, 1, 2])
  const archive = p.fixture('zip64.pth')
  const record = Buffer.from(archive).indexOf(p.u32(0x06064b50))
  archive[record] = 0
  await refused(t, archive, /zip64 record is missing$/)
})

t.test('an archive that ends early says so, at whichever byte', async (t) => {
  const archive = p.zip(two)
  for (let length = 0; length < archive.length; length++)
    await refused(t, archive.subarray(0, length), /truncated zip archive: its directory is missing$/)
})

t.test('a compressed or encrypted entry is listed, but not read', async (t) => {
  const packed = p.zip([...two, { name: 'a/code', bytes: bytesOf('xx'), method: 8, size: 40, packedSize: 2 }])
  const file = p.memoryFile('x.pth', packed)
  const entries = await readZipDirectory(file)
  t.equal(text(await readEntryBytes(file, entries.get('a/first')!)), 'one')
  await refused(t, packed, /: entry a\/code is compressed; expected an archive as torch\.save writes it/)
  await refused(t, p.zip([{ ...two[0], flags: 1 }]), /: entry a\/first is encrypted; expected an archive/)
})

t.test('a TorchScript program of PyTorch is listed', async (t) => {
  const file = p.memoryFile('x.pth', p.fixture('torchScript.pth'))
  t.ok((await readZipDirectory(file)).has('torchScript/code/__torch__.py'))
})

t.test('a directory that lies is refused', async (t) => {
  await refused(t, p.zip(two, { count: 3 }), /its directory ends after 2 of 3 entries$/)
  await refused(t, p.zip(two, { count: 65535 }), /its directory ends after 2 of 65535 entries$/)
  await refused(t, p.zip(two, { count: 1 }), /its directory has more than 1 entries$/)
  await refused(t, p.zip(two, { count: 0 }), /its directory has more than 0 entries$/)
  await refused(t, p.zip(two, { size: 2 ** 31 }), /its directory has 2147483648 bytes$/)
  await refused(t, p.zip(two, { size: 1000 }), /truncated: byte \d+ is needed/)
  await refused(t, p.zip([two[0], two[0]]), /entry a\/first occurs twice$/)
  await refused(t, p.zip([{ ...two[0], size: 5000 }]), /truncated: byte \d+ is needed/)
  await refused(t, p.zip([{ ...two[0], size: 2, packedSize: 3 }]), /entry a\/first has two sizes, 2 and 3$/)
  await refused(t, p.zip([{ ...two[0], position: 5000 }]), /truncated: byte \d+ is needed/)
  await refused(t, p.zip([{ ...two[0], position: 1 }]), /entry a\/first has no header$/)
  await refused(t, p.zip([{ ...two[0], size: 2 ** 32 - 1 }]), /truncated: byte \d+ is needed/)
})

t.test('an entry whose own header leads beyond the file is refused', async (t) => {
  const archive = p.zip([two[0]])
  // Length of the extra field.
  new DataView(archive.buffer).setUint16(28, 65535, true)
  await refused(t, archive, /truncated: byte \d+ is needed/)
})

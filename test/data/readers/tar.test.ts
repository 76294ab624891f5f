import fc from 'fast-check'
import t from 'tap'
import { indexTar } from '../../../src/data/readers/tar.js'
import { UserError } from '../../../src/errors.js'
import { makeTar, paxHeader, rawHeader, rawMember, rawTar } from '../makeShard.js'

function source(bytes: Uint8Array) {
  return {
    name: 'faces.tar',
    size: bytes.length,
    read: (offset: number, length: number) => bytes.subarray(offset, offset + length),
  }
}

const memberNames = fc.stringMatching(/^[a-z0-9äß_]{1,40}(\/[a-z0-9_]{1,60}){0,5}\.[a-z]{1,4}$/)

t.test('finds every file of any archive at its place, long and foreign names included', async (t) => {
  const members = fc.dictionary(memberNames, fc.uint8Array({ maxLength: 1500 }), { minKeys: 1, maxKeys: 6 })
  await fc.assert(
    fc.asyncProperty(members, async (members) => {
      const bytes = await makeTar(members)
      const found = indexTar(source(bytes)).members
      t.equal(found.length, Object.keys(members).length)
      for (const { name, offset, size } of found)
        t.ok(Buffer.from(members[name]).equals(bytes.subarray(offset, offset + size)), name)
    }),
    { numRuns: 40 },
  )
})

t.test('archives joined by cat read whole', async (t) => {
  const joined = Buffer.concat([await makeTar({ 'a.jpg': 'first' }), await makeTar({ 'b.jpg': 'second' })])
  t.same(
    indexTar(source(joined)).members.map(({ name, offset, size }) => [
      name,
      joined.toString('utf8', offset, offset + size),
    ]),
    [
      ['a.jpg', 'first'],
      ['b.jpg', 'second'],
    ],
  )
})

t.test('an archive cut anywhere before its end mark is refused, naming the file', async (t) => {
  const bytes = await makeTar({ '000000.jpg': 'x'.repeat(700), '000000.json': '{}' })
  const content = 512 + 1024 + 512 + 512
  fc.assert(
    fc.property(fc.integer({ min: 0, max: content }), (length) => {
      t.throws(() => indexTar(source(bytes.subarray(0, length))), { message: /^faces\.tar.*truncated/ })
    }),
    { numRuns: 60 },
  )
  t.throws(() => indexTar(source(bytes.subarray(0, 900))), {
    message: /member 000000\.jpg ends at byte 1212, the file at byte 900/,
  })
})

t.test('a changed header is refused', async (t) => {
  const bytes = await makeTar({ '000000.jpg': 'x' })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 511 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = Uint8Array.from(bytes)
      damaged[at] ^= change
      // Within the checksum field a change may leave its value as it was (a space for a zero).
      if (at >= 148 && at < 156) return
      t.throws(() => indexTar(source(damaged)), UserError)
    }),
    { numRuns: 60 },
  )
  t.throws(() => indexTar(source(new TextEncoder().encode('no tar at all '.repeat(100)))), {
    message: /not a tar archive/,
  })
})

/** Name and content of each member. */
function contents(bytes: Buffer): [string, string][] {
  return indexTar(source(bytes)).members.map(({ name, offset, size }) => [
    name,
    bytes.toString('utf8', offset, offset + size),
  ])
}

t.test('a link is the file that it leads to, before or after it', async (t) => {
  const tar = rawTar(
    rawMember({ name: './b/early.jpg', type: '2', linkName: '../a/one.jpg' }),
    rawMember({ name: './a/one.jpg' }, 'first'),
    rawMember({ name: 'hard.jpg', type: '1', linkName: 'a/one.jpg' }),
    // Some writers give a link the size of its file, and no content.
    rawMember({ name: 'sized.jpg', type: '1', linkName: './a/one.jpg', size: 5 }),
    rawMember({ name: 'twice.jpg', type: '2', linkName: 'b/early.jpg' }),
    rawMember({ name: 'a/one.txt' }, 'second'),
  )
  t.same(contents(tar), [
    ['./b/early.jpg', 'first'],
    ['./a/one.jpg', 'first'],
    ['hard.jpg', 'first'],
    ['sized.jpg', 'first'],
    ['twice.jpg', 'first'],
    ['a/one.txt', 'second'],
  ])
})

t.test('links that lead nowhere, in circles or out of the archive are told apart', async (t) => {
  const link = (name: string, linkName: string) => rawMember({ name, type: '2', linkName })
  const { members, broken } = indexTar(
    source(
      rawTar(
        link('a', 'b'),
        link('b', 'a'),
        link('self', 'self'),
        link('out', '../../x'),
        link('abs', '/etc/passwd'),
        rawMember({ name: 'etc/passwd' }),
      ),
    ),
  )
  t.same(
    members.map(({ name }) => name),
    ['etc/passwd'],
  )
  t.same(
    broken.map(({ name }) => name),
    ['a', 'b', 'self', 'out', 'abs'],
  )
})

t.test('pax records are read by their length, whatever their values hold, and may be large', async (t) => {
  const records = { comment: 'note\n12 path=c.png', 'SCHILY.xattr.x': '\n9 size=7\n'.repeat(30_000) }
  const tar = rawTar(paxHeader(records), rawMember({ name: 'a.png' }, 'content'))
  t.same(contents(tar), [['a.png', 'content']])
  const long = `${'ä'.repeat(150)}\n=.jpg`
  t.same(contents(rawTar(paxHeader({ path: long }), rawMember({}, 'x'), rawMember({ name: 'b' }, 'y'))), [
    [long, 'x'],
    ['b', 'y'],
  ])
  const sized = rawTar(paxHeader({ size: '3' }), rawMember({ sizeField: '00000000000 ' }, 'abc'))
  t.same(contents(sized), [['a.jpg', 'abc']])
  t.throws(() => indexTar(source(rawTar(rawMember({ type: 'x' }, '99 path=a\n')))), {
    name: 'UserError',
    message: /the pax header is damaged/,
  })
})

t.test("GNU's incremental archives have times where others have the front of a name", async (t) => {
  const gnu = { magic: 'ustar  ', prefix: '15302445243' }
  const tar = rawTar(
    rawMember({ ...gnu, name: 'faces/', type: 'D' }, 'Ya.jpg\0\0'),
    rawMember({ ...gnu, name: 'faces/a.jpg' }, 'x'),
    rawMember({ name: 'b.jpg', prefix: 'faces' }, 'y'),
  )
  t.same(contents(tar), [
    ['faces/a.jpg', 'x'],
    ['faces/b.jpg', 'y'],
  ])
})

t.test('members that are stored in pieces are refused by name', async (t) => {
  const sparse = rawTar(rawMember({ name: 's.jpg', type: 'S' }))
  t.throws(() => indexTar(source(sparse)), { message: /member s\.jpg: sparse members are not supported/ })
  const records = { 'GNU.sparse.major': '1', 'GNU.sparse.name': 'p.jpg' }
  t.throws(() => indexTar(source(rawTar(paxHeader(records), rawMember({ name: 'GNUSparseFile.0/p.jpg' })))), {
    message: /member p\.jpg: sparse members are not supported/,
  })
  t.throws(() => indexTar(source(rawTar(rawMember({ name: 'm.jpg', type: 'M' })))), {
    message: /member m\.jpg: continued from another volume/,
  })
})

t.test('a size that is no whole number of bytes within the file is refused', async (t) => {
  const binary = (...bytes: number[]) => String.fromCharCode(...bytes)
  for (const size of ['-1536', 'Infinity', 'NaN', '1e3', '0x10', '1.5', ' 7', '9'.repeat(20)])
    t.throws(
      () => indexTar(source(rawTar(paxHeader({ size }), rawMember({}, 'abc')))),
      { name: 'UserError', message: /size/ },
      size,
    )
  for (const sizeField of [
    '-0000000003 ',
    '00000000009 ',
    ' '.repeat(12),
    binary(0xff, ...Array(11).fill(0xff)),
    binary(0x80, ...Array(11).fill(0xff)),
    binary(0x81, ...Array(11).fill(0)),
  ])
    t.throws(() => indexTar(source(rawTar(rawHeader({ sizeField })))), { name: 'UserError' }, sizeField)
  t.throws(() => indexTar(source(rawTar(rawMember({}, 'abc').fill('7', 124, 135)))), UserError)
  t.throws(() => indexTar(source(rawTar(rawHeader({ type: 'L', size: 2 ** 20 })))), { message: /truncated/ })
})

t.test(
  'any headers whatever end in an index or a UserError, in as many steps as there are blocks',
  async () => {
    const text = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('-1', 'Infinity', '1e9', 'a.jpg', ''))
    const pax = fc
      .record({ key: fc.constantFrom('path', 'size', 'linkpath', 'GNU.sparse.name', 'comment'), value: text })
      .map(({ key, value }) => paxHeader({ [key]: value }))
    const plain = fc
      .record({
        name: text,
        type: fc.constantFrom(...'01234567xgLKSDMVX89a\0'),
        sizeField: fc.oneof(
          fc.constantFrom('00000000000 ', '00000000005 ', '00000001000 ', '77777777777 '),
          fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => String.fromCharCode(...bytes)),
        ),
        linkName: text,
        magic: fc.constantFrom('ustar\x0000', 'ustar  ', ''),
      })
      .map(rawHeader)
    const noise = fc.uint8Array({ minLength: 512, maxLength: 512 }).map((bytes) => Buffer.from(bytes))
    const zeros = fc.constant(Buffer.alloc(512))
    fc.assert(
      fc.property(fc.array(fc.oneof(pax, plain, zeros, noise), { maxLength: 12 }), (blocks) => {
        const tar = rawTar(...blocks)
        let steps = 0
        const counted = {
          ...source(tar),
          read: (offset: number, length: number) => {
            steps++
            if (offset < 0 || offset + length > tar.length) throw new Error(`reads ${length} at ${offset}`)
            return tar.subarray(offset, offset + length)
          },
        }
        try {
          for (const { offset, size } of indexTar(counted).members)
            if (!(offset >= 512 && size >= 0 && offset + size <= tar.length)) throw new Error('outside')
        } catch (error) {
          if (!(error instanceof UserError)) throw error
        }
        if (steps > (2 * tar.length) / 512) throw new Error(`${steps} steps`)
      }),
      { numRuns: 2000 },
    )
  },
)

import fc from 'fast-check'
import t from 'tap'
import { indexTar } from '../../../src/data/readers/tar.js'
import { UserError } from '../../../src/errors.js'
import { makeTar } from '../makeShard.js'

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
    message: /member 000000\.jpg wants 1212 bytes.*has 900/,
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
    message: /no tar/,
  })
})

import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { ImageSet } from '../../../src/data/imageSet.js'
import { openImageSet } from '../../../src/data/openImageSet.node.js'
import { makeTar, rawHeader, rawMember, rawTar } from '../makeShard.js'
import { openTree } from './openTree.js'

const ids = (set: ImageSet) => Array.from({ length: set.length }, (_, at) => set.sample(at).id)
const label = (subject: unknown, ...AUs: number[]) => JSON.stringify({ subject, AUs })

t.test('hidden members are no data, and their number is told', async (t) => {
  const tar = await makeTar({
    'a.jpg': 'x',
    'a.json': label('ann'),
    '._a.jpg': 'x',
    '__MACOSX/a.jpg': 'x',
    'f/.ipynb_checkpoints/a-checkpoint.json': '{}',
    '@eaDir/a.jpg/thumb.jpg': 'x',
    'f/.DS_Store': 'x',
  })
  const set = await openTree({ 'a.tar': tar })
  t.same(ids(set), ['a.tar/a'])
  t.match(set.notes, ['faces: 4 hidden members ignored (._a.jpg, __MACOSX/a.jpg, f/.ipynb_checkpoints'])
})

t.test('names with dots are left out by the rule of WebDataset, which is told', async (t) => {
  const tar = await makeTar({ 'a.jpg': 'x', 'v.01.jpg': 'x', 'v.02.jpg': 'x', 'b.bmp': 'x' })
  const set = await openTree({ 'a.tar': tar, 'b.tar': await makeTar({ 'c.d/e.jpg': 'x', 'x.y.png': 'x' }) })
  t.same(ids(set), ['a.tar/a', 'b.tar/c.d/e'])
  t.same(set.notes, [
    'faces: 3 images ignored: WebDataset keys end at the first dot of the file name (v.01.jpg, v.02.jpg, x.y.png)',
    'faces: 1 image ignored: not JPEG, PNG or WebP (b.bmp)',
  ])
  await t.rejects(openTree({ 'a.tar': await makeTar({ 'v.01.jpg': 'x' }) }), {
    message: /no .* file in its shards; .*1 image ignored: WebDataset keys.*\(v\.01\.jpg\)/,
  })
})

t.test('what is packed is told by content, not by name', async (t) => {
  const tar = await makeTar({ 'a.jpg': 'pixels' })
  for (const [name, bytes] of [
    ['plain.tar.gz', tar],
    ['packed.tar', gzipSync(tar)],
    ['two.tgz', Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))])],
  ] as const) {
    const set = await openTree({ [name]: bytes })
    t.equal(Buffer.from(await set.bytes(0)).toString(), 'pixels', name)
  }
})

t.test(
  'a label may be a link, have a mark of Windows, and name a subject by number or not at all',
  async (t) => {
    const tar = rawTar(
      rawMember({ name: 'a.jpg' }, 'x'),
      rawMember({ name: 'a.json' }, `\uFEFF${label(7, 1)}`),
      rawMember({ name: 'b.jpg' }, 'y'),
      rawMember({ name: 'b.json', type: '1', linkName: 'a.json' }),
      rawMember({ name: 'c.jpg' }, 'z'),
      rawMember({ name: 'c.json' }, label(null)),
      rawMember({ name: 'd.jpg' }, 'z'),
      rawMember({ name: 'd.json' }, '{"subject":"__proto__","AUs":null,"intensities":{"__proto__":1}}'),
    )
    const folds = `\uFEFF{"folds":[{"name":"one","subjects":[7]},{"name":"two","subjects":["__proto__"]}]}`
    const set = await openTree({
      'a.tar': tar,
      'folds.json': folds,
      'dataset.json': '\uFEFF{"name":"x","shards":[{"file":"a.tar"}]}',
    })
    t.same(
      [0, 1, 2, 3].map((at) => set.sample(at).subject),
      ['7', '7', null, '__proto__'],
    )
    t.equal(set.sample(3).aus, null)
    t.same(set.folds, [
      { name: 'one', subjects: ['7'] },
      { name: 'two', subjects: ['__proto__'] },
    ])
  },
)

t.test('one image under two subjects, or with other units, names both members', async (t) => {
  const shard = (first: string, second: string) =>
    rawTar(
      rawMember({ name: 'a.jpg' }, 'x'),
      rawMember({ name: 'a.json' }, first),
      rawMember({ name: 'b.jpg', type: '1', linkName: './a.jpg' }),
      rawMember({ name: 'b.json' }, second),
    )
  await t.rejects(openTree({ 's.tar': shard(label('ann'), label('bob')) }), {
    name: 'UserError',
    message:
      'faces/s.tar member a.json and faces/s.tar member b.json: the same image, faces/s.tar member b.jpg, has subjects "ann" and "bob"; expected the same labels',
  })
  await t.rejects(openTree({ 's.tar': shard(label('ann', 1), label('ann', 2)) }), {
    message: /has AUs \[1\] and \[2\]/,
  })
  const set = await openTree({ 's.tar': shard(label('ann', 1), label('ann', 1)) })
  t.same(set.notes, ['faces: 1 entry repeats an image of an earlier entry, with the same labels'])
})

t.test('links to nothing are refused where an image or labels are wanted', async (t) => {
  const tar = (name: string) =>
    rawTar(rawMember({ name: 'a.jpg' }, 'x'), rawMember({ name, type: '2', linkName: '../x.jpg' }))
  await t.rejects(openTree({ 'a.tar': tar('b.jpg') }), {
    message: 'faces/a.tar member b.jpg: a link to ../x.jpg; expected a target inside this archive',
  })
  t.equal((await openTree({ 'a.tar': tar('latest') })).length, 1)
})

t.test('dataset.json names each shard and each unit once, and no shard outside of its folder', async (t) => {
  const tar = await makeTar({ 'a.jpg': 'x' })
  const open = (dataset: object) =>
    openTree({ 'a.tar': tar, 'dataset.json': JSON.stringify({ name: 'x', ...dataset }) })
  await t.rejects(open({ shards: [{ file: 'a.tar' }, { file: './a.tar' }] }), {
    message:
      'faces/dataset.json: shard "./a.tar" is listed twice, first as "a.tar"; expected each shard once',
  })
  await t.rejects(open({ aus: [1, 2, 1], shards: [{ file: 'a.tar' }] }), {
    message: 'faces/dataset.json: field "aus": AU 1 is listed twice; expected each AU once',
  })
  await t.rejects(open({ shards: [{ file: '../b/a.tar' }] }), { message: /\.\.\/b\/a\.tar: outside faces/ })
  await t.rejects(open({ shards: [{ file: '/b/a.tar' }] }), { message: /outside faces/ })
})

t.test('JSON of any depth gets a sentence', async (t) => {
  const deep = '['.repeat(10_000) + ']'.repeat(10_000)
  for (const files of [
    { 'a.tar': await makeTar({ 'a.jpg': 'x', 'a.json': deep }) },
    { 'a.tar': await makeTar({ 'a.jpg': 'x' }), 'dataset.json': deep },
    { 'a.tar': await makeTar({ 'a.jpg': 'x' }), 'folds.json': `{"folds":${deep}}` },
  ])
    await t.rejects(openTree(files), { name: 'UserError', message: /json: / })
})

t.test('members of 2 GiB and more are stepped over, and are no images', async (t) => {
  const file = join(t.testdir(), 'large.tar')
  const size = 3 * 2 ** 30
  const handle = openSync(file, 'w')
  const small = rawTar(rawMember({ name: 'b.jpg' }, 'pixels'))
  writeSync(handle, rawHeader({ name: 'a.mp4', size }), 0, 512, 0)
  writeSync(handle, rawHeader({ name: 'c.jpg', size }), 0, 512, 512 + size)
  writeSync(handle, small, 0, small.length, 1024 + 2 * size)
  closeSync(handle)
  const set = await openImageSet(file)
  t.same(ids(set), ['large.tar/c', 'large.tar/b'])
  t.equal(Buffer.from(await set.bytes(1)).toString(), 'pixels')
  await t.rejects(set.bytes(0), {
    name: 'UserError',
    message: /member c\.jpg: has 3221225472 bytes; expected at most/,
  })
  rmSync(file)
})

t.test('an archive that would fill memory is refused soon', async (t) => {
  const bomb = gzipSync(Buffer.alloc(2 ** 27))
  await t.rejects(openTree({ 'a.tar.gz': bomb }), {
    name: 'UserError',
    message:
      'faces/a.tar.gz: expands to more than 20 times its size; decompress it first: gunzip faces/a.tar.gz',
  })
  await t.rejects(openTree({ 'a.tar': Buffer.alloc(2 ** 24 + 2048) }), {
    message: 'faces/a.tar at byte 512: more than 16777216 zero bytes; the archive is damaged or incomplete',
  })
})

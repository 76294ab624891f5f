import { execFileSync } from 'node:child_process'
import { linkSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ImageSet } from '../../src/data/imageSet.js'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { makeTar } from './makeShard.js'

const ids = (set: ImageSet) => Array.from({ length: set.length }, (_, at) => set.sample(at).id)

t.test('links that lead back end the walk: each real file is read once', async (t) => {
  const root = t.testdir({
    faces: { 'a.jpg': 'x', sub: { 'b.jpg': 'x' } },
    other: { deep: { 'c.jpg': 'x' } },
  })
  const faces = join(root, 'faces')
  const links = {
    self: '.',
    'sub/up': '..',
    'sub/above': '../..',
    'sub/everything': '/',
    'sub/again.jpg': '../a.jpg',
    deep: '../other/deep',
    other: '../other',
    'c.jpg': '../other/deep/c.jpg',
    circle: 'circle',
    'gone.jpg': 'nowhere',
  }
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(faces, path))
  symlinkSync('../faces', join(root, 'other', 'back'))
  const set = await openImageSet(faces)
  t.same(ids(set), ['a.jpg', 'deep/c.jpg', 'sub/b.jpg'])
  t.match(set.notes, [
    /8 links are skipped: their targets are read already/,
    `${faces}: 2 broken links (circle, gone.jpg)`,
  ])
})

t.test(
  'links out of a folder of images are followed, and those that share a target are counted',
  async (t) => {
    const root = t.testdir({ faces: {}, 'one.jpg': 'x' })
    const names = Array.from({ length: 300 }, (_, at) => `${at}.jpg`)
    for (const name of names) symlinkSync('../one.jpg', join(root, 'faces', name))
    const set = await openImageSet(join(root, 'faces'))
    t.equal(set.length, 300)
    t.match(set.notes, [/299 links have the same target as another/])
    await Promise.all(names.map((_, at) => set.bytes(at)))
  },
)

t.test('pipes are not read, and other formats, shards and label files are told of', async (t) => {
  const folder = t.testdir({
    'a.jpg': 'x',
    'b.gif': 'x',
    'c.BMP': 'x',
    'd.jfif': 'x',
    'e.tiff': 'x',
    more: { 's.tar': 'x', 'l.jsonl': 'x' },
  })
  execFileSync('mkfifo', [join(folder, 'pipe.jpg')])
  const set = await openImageSet(folder)
  t.same(set.notes, [
    `${folder}: 1 pipe, socket or device is not read (pipe.jpg)`,
    `${folder}: 1 label file is not read (more/l.jsonl)`,
    `${folder}: 1 shard is not read (more/s.tar)`,
    `${folder}: 4 images of other formats are not read (b.gif, c.BMP, d.jfif, …)`,
  ])
  await t.rejects(openImageSet(join(folder, 'pipe.jpg')), { message: /pipe\.jpg: not a regular file/ })
  await t.rejects(openImageSet(t.testdir({ 'a.gif': 'x' })), {
    message: /no \.jpg.*; .*1 image of another format is not read \(a\.gif\)/,
  })
})

t.test('a folder of labels with a pipe in the place of a file says so', async (t) => {
  const folder = t.testdir({ 'a.jpg': 'x', 'labels.jsonl': '{"img_path":"a.jpg"}' })
  execFileSync('mkfifo', [join(folder, 'folds.json')])
  await t.rejects(openImageSet(folder), { message: /folds\.json: not a regular file/ })
})

t.test('no path is no folder', async (t) => {
  await t.rejects(openImageSet(''), { name: 'UserError', message: /the data path is empty/ })
})

t.test('a shard that lies there twice is counted, by a second name for one file', async (t) => {
  const root = t.testdir({ 'a.tar': await makeTar({ '1.jpg': 'x', '1.json': '{"subject":"ann"}' }) })
  linkSync(join(root, 'a.tar'), join(root, 'b.tar'))
  symlinkSync('a.tar', join(root, 'c.tar'))
  const set = await openImageSet(root)
  t.same(ids(set), ['a.tar/1', 'b.tar/1'])
  t.match(set.notes, [/1 link is skipped/, /1 entry repeats an image of an earlier entry/])
})

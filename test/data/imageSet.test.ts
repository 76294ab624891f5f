import { gzipSync } from 'node:zlib'
import t from 'tap'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { makeImage, makeSamples, makeTar } from './makeShard.js'

const labels = [
  { subject: 'S1', AUs: [1, 12], intensities: { '1': 0.7, '12': 0.4 }, yaw: 3 },
  { subject: 'S2', AUs: [] },
]

t.test('a single shard, plain or gzipped, gives labels and pictures', async (t) => {
  const samples = await makeSamples(labels)
  const tar = await makeTar(samples)
  const folder = t.testdir({ 'a.tar': tar, 'b.tar.gz': gzipSync(tar) })
  for (const file of ['a.tar', 'b.tar.gz']) {
    const set = await openImageSet(`${folder}/${file}`)
    t.equal(set.length, 2)
    t.same(set.aus, [1, 12])
    t.same(set.sample(0), { id: `${file}/000000`, subject: 'S1', aus: [1, 12], split: null })
    t.same(set.sample(1).aus, [])
    t.ok(Buffer.from(samples['000001.png']).equals(await set.bytes(1)))
    t.equal(set.describe(1), `${folder}/${file} member 000001.png`)
  }
})

t.test('a folder of shards follows its dataset.json and brings its folds', async (t) => {
  const tar = await makeTar(await makeSamples(labels))
  const folds = [
    { name: 'fold1', subjects: ['S1'] },
    { name: 'fold2', subjects: ['S2'] },
  ]
  const shards = [
    { file: 'one.tar', split: 'fold1', images: 2 },
    { file: 'more.tar.gz', split: 'extra', images: 2 },
  ]
  const dataset = { name: 'faces', imageSize: 64, aus: [1, 2, 12], shards }
  const folder = t.testdir({
    'one.tar': tar,
    'more.tar.gz': gzipSync(tar),
    'dataset.json': JSON.stringify(dataset),
    'folds.json': JSON.stringify({ key: 'subject', folds }),
  })
  const set = await openImageSet(folder)
  t.match(set, { name: 'faces', length: 4, aus: [1, 2, 12], folds })
  t.same(
    [0, 1, 2, 3].map((at) => set.sample(at).split),
    ['fold1', 'fold1', 'extra', 'extra'],
  )
  t.equal(new Set([0, 1, 2, 3].map((at) => set.sample(at).id)).size, 4)
  t.equal((await openImageSet(folder, { splits: ['extra'] })).length, 2)
  t.equal((await openImageSet(`${folder}/more.tar.gz`)).sample(0).split, 'extra')
  await t.rejects(openImageSet(folder, { splits: ['extra', 'fold9'] }), {
    message: /no shard has split fold9; splits in the data: fold1, extra/,
  })
})

t.test('a shard of pictures alone has no labels', async (t) => {
  const folder = t.testdir({ 'a.tar': await makeTar(await makeSamples([null, null])) })
  const set = await openImageSet(`${folder}/a.tar`)
  t.equal(set.aus, null)
  t.same(set.sample(1), { id: 'a.tar/000001', subject: null, aus: null, split: null })
})

t.test('what is wrong with a shard is said with file and member', async (t) => {
  const good = await makeSamples(labels)
  const { '000001.json': _labels, ...unlabelled } = good
  const { '000001.png': _image, ...imageless } = good
  const tar = await makeTar(good)
  const cases: Record<string, [Uint8Array, RegExp]> = {
    'json-missing.tar': [
      await makeTar(unlabelled),
      /json-missing\.tar member 000001\.png has no labels; expected 000001\.json/,
    ],
    'picture-missing.tar': [
      await makeTar(imageless),
      /member 000001\.json has no image; expected 000001\.jpg/,
    ],
    'bad-json.tar': [
      await makeTar({ ...good, '000001.json': '{"subject":' }),
      /member 000001\.json: not valid JSON/,
    ],
    'bad-type.tar': [
      await makeTar({ ...good, '000001.json': '{"AUs":["1"]}' }),
      /member 000001\.json: field "AUs\.0"/,
    ],
    'bad-unit.tar': [
      await makeTar({ ...good, '000001.json': '{"AUs":[200]}' }),
      /member 000001\.json: unknown AU 200/,
    ],
    'twice.tar': [
      await makeTar({ ...good, '000001.jpg': '' }),
      /member 000001\.jpg: a second image with key 000001/,
    ],
    'cut.tar': [tar.subarray(0, 1500), /cut\.tar: truncated archive/],
    'cut.tar.gz': [gzipSync(tar).subarray(0, 200), /cut\.tar\.gz: truncated or damaged gzip file/],
    'text.tar.gz': [Buffer.from('hello'), /text\.tar\.gz: truncated archive/],
  }
  const files = Object.fromEntries(Object.entries(cases).map(([file, [bytes]]) => [file, Buffer.from(bytes)]))
  const folder = t.testdir(files)
  for (const [file, [, message]] of Object.entries(cases))
    await t.rejects(openImageSet(`${folder}/${file}`), { name: 'UserError', message }, file)
})

t.test('dataset.json and folds.json are checked', async (t) => {
  const tar = await makeTar(await makeSamples(labels))
  const open = (dataset: unknown, folds: unknown = { folds: [{ name: 'a', subjects: ['S1'] }] }) => {
    const folder = t.testdir({
      'a.tar': tar,
      'dataset.json': JSON.stringify(dataset),
      'folds.json': JSON.stringify(folds),
    })
    return openImageSet(folder)
  }
  const dataset = { name: 'x', shards: [{ file: 'a.tar' }] }
  t.equal((await open(dataset)).length, 2)
  await t.rejects(open({ name: 'x', shards: [] }), { message: /dataset\.json: field "shards"/ })
  await t.rejects(open({ name: 'x', shards: [{ file: 'b.tar' }] }), { message: /b\.tar: no such file/ })
  await t.rejects(open({ name: 'x', shards: [{ file: 'a.tar', images: 3 }] }), {
    message: /a\.tar: contains 2 images; dataset\.json lists 3/,
  })
  const twice = ['S1', 'S2'].map((subject) => ({ name: 'a', subjects: [subject] }))
  await t.rejects(open(dataset, { folds: twice }), {
    message: /folds\.json: field "folds": two folds are named "a"; expected unique names/,
  })
  await t.rejects(open(dataset, { folds: [{ name: 'a' }] }), {
    message: /folds\.json: field "folds\.0\.subjects"/,
  })
})

t.test('a folder of pictures is read with its subfolders, in order', async (t) => {
  const folder = t.testdir({
    'b.PNG': await makeImage(1, 2, 3),
    'notes.txt': 'no picture',
    a: { '2.webp': 'x', '10.jpeg': 'y' },
  })
  const set = await openImageSet(folder)
  t.same(
    [0, 1, 2].map((at) => set.sample(at).id),
    ['a/10.jpeg', 'a/2.webp', 'b.PNG'],
  )
  t.equal((await set.bytes(0)).length, 1)
  await t.rejects(openImageSet(t.testdir({ 'notes.txt': '' })), {
    message: /no \.jpg, \.jpeg, \.png or \.webp file/,
  })
})

t.test('hidden files beside pictures and shards, and folders named like pictures, are no data', async (t) => {
  const images = t.testdir({
    '1.jpg': 'x',
    '._1.jpg': 'x',
    '.thumbnails': { '1.jpg': 'x' },
    __MACOSX: { '1.jpg': 'x' },
    'album.jpg': { '2.png': 'y' },
  })
  const set = await openImageSet(images)
  t.same(
    Array.from({ length: set.length }, (_, at) => set.sample(at).id),
    ['1.jpg', 'album.jpg/2.png'],
  )
  const tar = await makeTar(await makeSamples(labels))
  t.equal((await openImageSet(t.testdir({ 'a.tar': tar, '._a.tar': 'x' }))).length, 2)
})

t.test('splits are asked of shards alone', async (t) => {
  const folder = t.testdir({ '1.png': 'x', labelled: { 'labels.jsonl': '{"img_path":"1.png"}' } })
  for (const path of [folder, `${folder}/labelled`, `${folder}/labelled/labels.jsonl`])
    await t.rejects(openImageSet(path, { splits: ['day'] }), {
      name: 'UserError',
      message: /--split requires shards \(\.tar, \.tar\.gz\); there are none/,
    })
})

t.test('shards without a picture are no set', async (t) => {
  const folder = t.testdir({ 'a.tar': await makeTar({ 'readme.txt': 'nothing yet' }) })
  await t.rejects(openImageSet(folder), { name: 'UserError', message: /no .* file in its shards/ })
})

t.test('a folder with labels.jsonl follows it, wherever its pictures start', async (t) => {
  const folder = t.testdir({
    'labels.jsonl': '{"img_path":"images/1.png","subject":"002","AUs":[6,12],"age":null}\r\n',
    'folds.json': '{"folds":[{"name":"fold0","subjects":["002"]}]}',
    images: { '1.png': 'pixels' },
    elsewhere: { images: { '1.png': 'others' } },
  })
  const set = await openImageSet(folder)
  t.match(set, { length: 1, aus: [6, 12], folds: [{ name: 'fold0' }] })
  t.match(set.sample(0), { id: 'images/1.png', subject: '002', aus: [6, 12] })
  t.equal(Buffer.from(await set.bytes(0)).toString(), 'pixels')
  const moved = await openImageSet(`${folder}/labels.jsonl`, {
    root: `${folder}/elsewhere`,
  })
  t.equal(Buffer.from(await moved.bytes(0)).toString(), 'others')
  await t.rejects(openImageSet(`${folder}/labels.jsonl`, { root: `${folder}/nowhere` }), {
    message: /nowhere: no such file or folder/,
  })
})

t.test('a path that is nothing readable is refused by name', async (t) => {
  const folder = t.testdir({ 'a.zip': '' })
  await t.rejects(openImageSet(`${folder}/missing`), {
    name: 'UserError',
    message: /missing: no such file or folder/,
  })
  await t.rejects(openImageSet(`${folder}/a.zip`), {
    name: 'UserError',
    message: /a\.zip: expected a label file/,
  })
})

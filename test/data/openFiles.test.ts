import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t from 'tap'
import type { ImageSet } from '../../src/data/imageSet.js'
import { imagesDigest } from '../../src/data/imagesDigest.js'
import { openFiles, type PickedFile } from '../../src/data/openFiles.browser.js'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { makeImage, makeSamples, makeTar } from './makeShard.js'

// A page opens a folder's files as the command line opens the folder.

const image = await makeImage(200, 0, 0)
const line = (object: object) => `${JSON.stringify(object)}\n`
const labels =
  line({ img_path: './anna/1.png', AUs: [12, 999], subject: 'anna' }) +
  line({ img_path: 'anna/../ben/1.png', AUs: [], subject: 'ben' })

/** What a browser gives of a picked folder. */
function picked(folder: string): PickedFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path))
    .filter((path) => statSync(path).isFile())
    .map((path) => ({
      path: path.slice(dirname(folder).length + 1),
      file: new File([new Uint8Array(readFileSync(path))], basename(path)),
    }))
}

async function contents(set: ImageSet) {
  const all = Array.from({ length: set.length }, (_, index) => index)
  return {
    name: set.name,
    aus: set.aus,
    folds: set.folds,
    records: all.map((index) => set.sample(index)),
    bytes: await Promise.all(all.map(async (index) => [...(await set.bytes(index))])),
    digest: await imagesDigest(set, all),
  }
}

t.test('labels, shards and plain pictures are the same set as in Node', async (t) => {
  const root = t.testdir({
    labelled: {
      anna: { '1.png': image },
      ben: { '1.png': image, '2.png': image },
      'labels.jsonl': labels,
      'folds.json': line({ folds: [{ name: 'a', subjects: ['anna'] }] }),
    },
    'labels further down': {
      anna: { '1.png': image, 'labels.jsonl': line({ img_path: '1.png', AUs: [12], subject: 'anna' }) },
      ben: { '1.png': image },
    },
    plain: {
      b: { 'two.PNG': image, '._two.PNG': 'no picture' },
      __MACOSX: { 'one.png': 'no picture' },
      'one.png': image,
      'notes.txt': 'no picture',
    },
    shards: {
      'dataset.json': line({ name: 'few', aus: [1, 2, 12], shards: [{ file: 'a.tar', split: 'day' }] }),
      'folds.json': line({ folds: [{ name: 'a', subjects: ['S1'] }] }),
    },
    'bare shards': {},
  })
  const tar = await makeTar(
    await makeSamples([
      { subject: 'S1', AUs: [2] },
      { subject: 'S2', AUs: [] },
    ]),
  )
  writeFileSync(join(root, 'shards', 'a.tar'), tar)
  writeFileSync(join(root, 'bare shards', 'b.tar'), tar)
  writeFileSync(join(root, 'bare shards', 'a.tar'), tar)
  for (const name of ['labelled', 'labels further down', 'plain', 'shards']) {
    const folder = join(root, name)
    t.same(await contents(await openFiles(picked(folder))), await contents(await openImageSet(folder)), name)
  }
  const bare = await contents(await openFiles(picked(join(root, 'bare shards'))))
  t.same(
    bare.records.map(({ id }) => id),
    ['a.tar/000000', 'a.tar/000001', 'b.tar/000000', 'b.tar/000001'],
  )
})

t.test(
  'what belongs to the system beside pictures is passed over, and names may be composed otherwise',
  async (t) => {
    const file = new File([new Uint8Array(image)], 'x')
    const set = await openFiles([
      { path: 'faces/ame\u0301lie.png', file },
      { path: 'faces/._ame\u0301lie.png', file },
      { path: 'faces/__MACOSX/1.png', file },
      { path: 'faces/.thumbnails/1.png', file },
      { path: 'faces/labels.jsonl', file: new File([line({ img_path: 'am\u00e9lie.png', AUs: [1] })], 'x') },
    ])
    t.equal(set.length, 1)
    t.equal((await set.bytes(0)).length, image.length)
    const plain = await openFiles([
      { path: '._1.png', file },
      { path: '1.png', file },
    ])
    t.equal(plain.length, 1, 'single files have no folder')
    t.equal(plain.name, 'images')
  },
)

t.test('wrong files are named as in Node', async (t) => {
  const root = t.testdir({
    good: { anna: { '1.png': image }, 'labels.jsonl': line({ img_path: 'anna/1.png', AUs: [12] }) },
  })
  const folder = join(root, 'good')
  const wrong = async (content: string) => {
    writeFileSync(join(folder, 'labels.jsonl'), content)
    return openFiles(picked(folder)).catch((error: Error) => error.message)
  }
  const inNode = (content: string) => {
    writeFileSync(join(folder, 'labels.jsonl'), content)
    return openImageSet(folder).catch((error: Error) => error.message.replaceAll(`${root}/`, ''))
  }
  for (const content of [
    '{"img_path"',
    line({ img_path: 'anna/1.png', AUs: [99] }),
    line({ img_path: 'anna/1.png', AUs: 12 }),
    line({ AUs: [12] }),
    '\n',
    line({ img_path: 'gone.png', AUs: [] }),
    line({ img_path: 'a.png' }) + line({ img_path: 'anna/1.png' }) + line({ img_path: 'b.png' }),
  ]) {
    const message = await wrong(content)
    t.type(message, 'string', content)
    t.equal(message, await inNode(content))
  }
  rmSync(join(folder, 'labels.jsonl'))
  rmSync(join(folder, 'anna'), { recursive: true })
  await t.rejects(openFiles(picked(folder)), /no \.jpg, \.jpeg, \.png or \.webp file/)
  await t.rejects(
    openFiles([
      { path: 'f/dataset.json', file: new File([line({ name: 'x', shards: [{ file: 'a.tar' }] })], 'x') },
    ]),
    { message: 'f/a.tar: no such file' },
  )
})

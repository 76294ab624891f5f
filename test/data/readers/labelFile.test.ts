import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ImageSet } from '../../../src/data/imageSet.js'
import { type OpenOptions, openImageSet } from '../../../src/data/openImageSet.node.js'
import { openTree } from './openTree.js'

const line = (img_path: string, subject?: unknown, ...AUs: number[]) =>
  `${JSON.stringify({ img_path, subject, AUs })}\n`
const textOf = async (set: ImageSet, index: number) => Buffer.from(await set.bytes(index)).toString()

t.test('paths may be written in many ways, and are kept as they are written', async (t) => {
  const folder = t.testdir({ sub: { 'one.jpg': '1', 'Zoe\u0308.jpg': 'z' }, 'ame\u0301': { 'x.jpg': 'x' } })
  const paths = [
    'sub/one.jpg',
    './sub//one.jpg',
    'sub\\one.jpg',
    'other/../sub/one.jpg',
    join(folder, 'sub', 'one.jpg'),
    'sub/Zoë.jpg',
    'amé\\x.jpg',
  ]
  writeFileSync(join(folder, 'labels.jsonl'), paths.map((path) => line(path)).join(''))
  const set = await openImageSet(folder)
  t.same(
    paths.map((_, at) => set.sample(at).id),
    paths,
  )
  t.same(await Promise.all(paths.map((_, at) => textOf(set, at))), ['1', '1', '1', '1', '1', 'z', 'x'])
  t.same(set.notes, [
    `${folder.split('/').at(-1)}: 4 entries repeat an image of an earlier entry, with the same labels`,
  ])
})

t.test('one file under two subjects names both lines, however its path is written', async (t) => {
  const folder = t.testdir({ 'a.jpg': 'x', 'Zoe\u0308.jpg': 'x', 'b.jpg': 'x' })
  symlinkSync('a.jpg', join(folder, 'link.jpg'))
  linkSync(join(folder, 'a.jpg'), join(folder, 'hard.jpg'))
  const file = join(folder, 'labels.jsonl')
  const pairs = [
    ['a.jpg', './a.jpg'],
    ['a.jpg', 'x/../a.jpg'],
    ['Zoë.jpg', 'Zoe\u0308.jpg'],
    ['a.jpg', 'link.jpg'],
    ['a.jpg', 'hard.jpg'],
  ] as const
  for (const [first, second] of pairs) {
    writeFileSync(file, line('b.jpg') + line(first, 'ann') + line('b.jpg') + line(second, 'bob'))
    await t.rejects(
      openImageSet(folder),
      { name: 'UserError', message: /labels\.jsonl line 2 and .*labels\.jsonl line 4: .*"ann" and "bob"/ },
      second,
    )
  }
  writeFileSync(file, line('a.jpg', 'ann', 1) + line('a.jpg', undefined, 1) + line('./a.jpg', 'bob', 1))
  await t.rejects(openImageSet(folder), { message: /line 1 and .*line 3/ })
  writeFileSync(file, line('a.jpg', 'ann', 1) + line('a.jpg', 'ann', 2))
  await t.rejects(openImageSet(folder), { message: /has AUs \[1\] and \[2\]/ })
})

t.test('images that are not there are counted before anything is trained', async (t) => {
  const folder = t.testdir({ 'a.jpg': 'x' })
  const labels = join(folder, 'labels.jsonl')
  writeFileSync(labels, line('a.jpg') + line('b.jpg') + line('a.jpg/c.jpg') + line('nul\0.jpg'))
  await t.rejects(openImageSet(folder), {
    name: 'UserError',
    message: `${labels} line 2: image ${folder}/b.jpg: no such file; 3 of 4 images cannot be read`,
  })
  const set = await openImageSet(folder, { badImages: 'skip' })
  t.equal(set.length, 4)
  await t.rejects(set.bytes(1), { name: 'UserError', message: `${folder}/b.jpg: no such file` })
})

t.test('only regular files below the folder are read, others by choice', async (t) => {
  const root = t.testdir({ 'out.jpg': 'secret', faces: { 'a.jpg': 'x' }, elsewhere: { 'b.jpg': 'b' } })
  const folder = join(root, 'faces')
  symlinkSync('../out.jpg', join(folder, 'link.jpg'))
  symlinkSync('../elsewhere', join(folder, 'linked'))
  mkdirSync(join(folder, 'folder.jpg'))
  execFileSync('mkfifo', [join(folder, 'pipe.jpg')])
  const open = (path: string, options: OpenOptions = {}) => {
    writeFileSync(join(folder, 'labels.jsonl'), line(path))
    return openImageSet(folder, options)
  }
  for (const [path, reason] of [
    ['../out.jpg', /outside .*faces/],
    ['..\\out.jpg', /outside/],
    ['/etc/passwd', /outside/],
    ['C:\\faces\\a.jpg', /outside/],
    [join(root, 'out.jpg'), /outside/],
    [`${folder}/../out.jpg`, /outside/],
    ['link.jpg', /a link that leads outside .*faces; --allow-outside follows it/],
    ['linked/b.jpg', /a link that leads outside/],
    ['pipe.jpg', /not a regular file/],
    ['folder.jpg', /not a regular file/],
    ['.', /not a regular file/],
  ] as const)
    await t.rejects(open(path), { name: 'UserError', message: reason }, path)
  for (const path of ['../out.jpg', join(root, 'out.jpg'), 'link.jpg'])
    t.equal(await textOf(await open(path, { allowOutside: true }), 0), 'secret', path)
  await t.rejects(open('/dev/zero', { allowOutside: true }), { message: /not a regular file/ })
})

t.test('a folder of labels that is a link itself is no way out', async (t) => {
  const root = t.testdir({ faces: { 'a.jpg': 'x', 'labels.jsonl': line('a.jpg') } })
  symlinkSync('faces', join(root, 'link'))
  t.equal((await openImageSet(join(root, 'link'))).length, 1)
  symlinkSync('faces/labels.jsonl', join(root, 'l.jsonl'))
  t.equal((await openImageSet(join(root, 'l.jsonl'), { root: join(root, 'faces') })).length, 1)
})

t.test('text of Windows is read, and many lines of one person', async (t) => {
  const utf16 = Buffer.from(`\uFEFF${line('a.jpg', 'zoë')}`, 'utf16le')
  t.equal((await openTree({ 'a.jpg': 'x', 'labels.jsonl': utf16 })).sample(0).subject, 'zoë')
  t.equal(
    (await openTree({ 'a.jpg': 'x', 'labels.jsonl': `\uFEFF${line('a.jpg', 1)}` })).sample(0).subject,
    '1',
  )
  t.equal(
    (await openTree({ 'a.jpg': 'x', 'labels.jsonl': line('a.jpg', 1).repeat(300_000) })).length,
    300_000,
  )
})

t.test('a subject has one name however it is typed', async (t) => {
  const names = ['Zoë', 'Zoe\u0308', ' Zoë\t']
  const labels = names.map((name, at) => line(`${at}.jpg`, name)).join('')
  const files = { '0.jpg': 'x', '1.jpg': 'y', '2.jpg': 'z' }
  const folds = JSON.stringify({ folds: [{ name: 'a', subjects: [names[1]] }] })
  const set = await openTree({ ...files, 'labels.jsonl': labels, 'folds.json': folds })
  t.same(
    names.map((_, at) => set.sample(at).subject),
    ['Zoë', 'Zoë', 'Zoë'],
  )
  t.same(set.folds, [{ name: 'a', subjects: ['Zoë'] }])
  const rule = { subjectFrom: '^[^.]+' }
  t.equal(
    (await openTree({ 'Zoe\u0308.jpg': 'x', 'labels.jsonl': line('Zoe\u0308.jpg') }, rule)).sample(0).subject,
    'Zoë',
  )
  await t.rejects(openTree({ ...files, 'labels.jsonl': line('0.jpg') }, { subjectFrom: 'q*' }), {
    message: /line 1: .*subject/,
  })
  await t.rejects(openTree({ ...files, 'labels.jsonl': line('0.jpg', '  ') }), { message: /field "subject"/ })
})

t.test('what lies beside labels and is not named is told', async (t) => {
  const set = await openTree({
    'labels.jsonl': line('a.jpg'),
    'test.jsonl': line('b.jpg'),
    'folds.json': '{"folds":[{"name":"a","subjects":["x"]}]}',
    'a.jpg': 'x',
    'b.jpg': 'x',
    'old/b.tar': 'x',
    'notes.txt': '',
  })
  t.same(set.notes, [
    'faces: 1 label file is not read (test.jsonl)',
    'faces: 1 shard is not read (old/b.tar)',
    'faces: 1 image is not read (b.jpg)',
  ])
})

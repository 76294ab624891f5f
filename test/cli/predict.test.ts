import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { decodePixels } from '../../src/data/decodePixels.node.js'
import { loadClassifier } from '../../src/predict/classifier.js'
import { readSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { photo } from '../face/photo.js'
import { type RunOptions, runProgram } from './program.js'
import { tinyAus, tinyEncoder, tinyMembers, writeFaces } from './tinyFaces.js'

const folder = t.testdir()
const path = (...parts: string[]) => join(folder, ...parts)

const faces = await writeFaces(path('faces'), await tinyMembers())
const dataset = JSON.parse(readFileSync(path('faces', 'dataset.json'), 'utf8'))
writeFileSync(path('faces', 'dataset.json'), JSON.stringify({ ...dataset, crop: 'aligned' }))
const small = [...tinyEncoder, '--batch-size', '6', '--epochs', '1', '--no-tune']
const trained = await runProgram(['finetune', '--data', faces, '--out', path('run'), ...small])
t.equal(trained.code, 0, trained.stderr)
const checkpoint = path('run', 'checkpoint.safetensors')

mkdirSync(path('photos', 'more'), { recursive: true })
const two = [
  { face: 0, side: 200, left: 380, top: 60 },
  { face: 24, side: 110, left: 40, top: 200 },
]
writeFileSync(path('photos', 'two.png'), await photo(two))
writeFileSync(path('photos', 'more', 'one.png'), await photo(two.slice(0, 1)))
writeFileSync(path('photos', 'none.png'), await photo([]))
writeFileSync(path('photos', 'broken.jpg'), 'no image')

const predict = (sources: readonly string[], more: readonly string[], options?: RunOptions) =>
  runProgram(['predict', ...sources, '--checkpoint', checkpoint, ...more], options)

function rowsOf(file: string): Record<string, string>[] {
  const [names, ...rows] = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','))
  return rows.map((cells) => Object.fromEntries(cells.map((cell, i) => [names[i], cell])))
}

t.test(
  'a folder: a row for each face, one for an image without, and a list of what is unreadable',
  async (t) => {
    const features = path('features.safetensors')
    const { code, stdout } = await predict(
      [path('photos')],
      ['--out', path('all.csv'), '--features', features, '--threads', '2'],
    )
    t.equal(code, 0)
    t.match(stdout, /present at a probability of 0\.5 or more.*; crop: aligned/)
    t.match(
      stdout,
      /Not read: broken\.jpg: unknown format\n3 faces in 4 images, 1 image without a face, 1 image not read\n/,
    )
    const rows = rowsOf(path('all.csv'))
    t.same(
      rows.map(({ input, face_id, success }) => [input, face_id, success]),
      [
        ['more/one.png', '0', '1'],
        ['none.png', '', '0'],
        ['two.png', '0', '1'],
        ['two.png', '1', '1'],
      ],
    )
    t.ok(Number(rows[2].width) > Number(rows[3].width), 'the larger face is the first')
    for (const au of tinyAus) t.match(rows[0][`AU${String(au).padStart(2, '0')}`], /^0\.\d+$/)
  },
)

t.test('the library gives the same numbers', async (t) => {
  const classifier = await loadClassifier(checkpoint)
  t.teardown(() => classifier.reader.runtime.close())
  const found = await classifier.predict(path('photos', 'two.png'))
  const rows = rowsOf(path('all.csv')).filter(({ input }) => input === 'two.png')
  t.equal(found.length, rows.length)
  for (const [i, { box, probabilities }] of found.entries()) {
    t.ok(Math.abs(box!.x - Number(rows[i].x)) < 1e-3)
    for (const au of tinyAus) {
      const name = `AU${String(au).padStart(2, '0')}`
      t.ok(Math.abs(probabilities[au] - Number(rows[i][name])) < 1e-5, `face ${i}, ${name}`)
    }
  }
  const pixels = await decodePixels(readFileSync(path('photos', 'two.png')))
  t.same(await classifier.predict(pixels), found, 'of pixels, the same')
  t.same(await classifier.predict(readFileSync(path('photos', 'none.png'))), [])
})

t.test(
  'paths on standard input, whole images, the other formats, and a code for what is unreadable',
  async (t) => {
    const input = [path('photos', 'none.png'), path('photos', 'broken.jpg'), ''].join('\n')
    for (const [format, line] of [
      ['json', /^\{"input":".*none\.png","frame":0,.*"success":true,"confidence":null,"box":null,/],
      ['openface', /^1,0,0,0,1,,.*none\.png$/],
      ['pyfeat', /^,,,,,0\.\d+,.*none\.png,0$/],
    ] as const) {
      const more = ['--crop', 'none', '--strict', '--format', format, '--out', path(`${format}/`)]
      const { code, stdout } = await predict(['-'], more, { input })
      t.equal(code, 1)
      t.match(stdout, /Note: .* was trained on faces cropped as aligned, not none\./)
      const [file] = readdirSync(path(format))
      t.equal(file, format === 'json' ? 'predictions.jsonl' : 'predictions.csv')
      const lines = readFileSync(path(format, file), 'utf8').trimEnd().split('\n')
      t.equal(lines.length, format === 'json' ? 1 : 2)
      t.match(lines.at(-1), line)
    }
  },
)

t.test('fine-tuning cuts the same faces out, and its checkpoint says so', async (t) => {
  const lines = two.map((_, i) =>
    JSON.stringify({ img_path: `p${i}.png`, AUs: [12 * i + 1], subject: `s${i}` }),
  )
  for (const [i, place] of two.entries()) writeFileSync(path(`p${i}.png`), await photo([place]))
  writeFileSync(path('labels.jsonl'), lines.join('\n'))
  const more = ['--batch-size', '1', '--folds', '2', '--out', path('cropped')]
  const args = ['finetune', '--data', path('labels.jsonl'), '--crop', 'found', ...small.slice(0, -5), ...more]
  const { code, stderr } = await runProgram([...args, '--epochs', '1', '--no-tune'])
  t.equal(code, 0, stderr)
  const { metadata } = await readSafetensors(path('cropped', 'checkpoint.safetensors'))
  t.equal(metadata.crop, 'found')
  writeFileSync(path('p0.png'), await photo([]))
  const without = await runProgram([...args.with(-1, path('without')), '--epochs', '1', '--no-tune'])
  t.equal(without.code, 1)
  t.match(without.stderr, /p0\.png: no face was found in the image; expected one, or --crop none/)
})

t.test('convert keeps crop and thresholds, and predict uses them', async (t) => {
  const converted = path('converted.safetensors')
  const again = await runProgram(['convert', checkpoint, converted, '--thresholds', '0.1,0.2,0.9'])
  t.equal(again.code, 0, again.stderr)
  const { metadata } = await readSafetensors(converted)
  t.match(metadata, { crop: 'aligned', thresholds: '[0.1,0.2,0.9]' })
  const out = path('thresholds.csv')
  const source = path('photos', 'more', 'one.png')
  const { stdout } = await runProgram(['predict', source, '--checkpoint', converted, '--out', out])
  t.match(stdout, /present at the checkpoint's thresholds \(0\.1, 0\.2, 0\.9\)/)
  const [row] = rowsOf(out)
  for (const [i, threshold] of [0.1, 0.2, 0.9].entries()) {
    const name = `AU${String(tinyAus[i]).padStart(2, '0')}`
    t.equal(row[`${name}_present`], Number(row[name]) >= threshold ? '1' : '0')
  }
})

function ffmpegMissing(): string | false {
  try {
    execFileSync('ffmpeg', ['-version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'ffmpeg is not installed'
  }
}

t.test('a video: times, and numbers that follow the faces', { skip: ffmpegMissing() }, async (t) => {
  mkdirSync(path('frames'))
  for (let frame = 0; frame < 4; frame++) {
    // They move, and change their order by size.
    const sides = [200 - 30 * frame, 110 + 10 * frame]
    const places = two.map((place, i) => ({ ...place, left: place.left + 4 * frame, side: sides[i] }))
    await sharp(await photo(places)).toFile(path('frames', `${frame}.png`))
  }
  const rate = ['-v', 'error', '-framerate', '5']
  execFileSync('ffmpeg', [...rate, '-i', path('frames', '%d.png'), '-pix_fmt', 'yuv420p', path('clip.mp4')])
  writeFileSync(path('text.mp4'), 'no video')
  const sources = [path('clip.mp4'), path('text.mp4')]
  const { code, stdout } = await predict(sources, ['--out', path('clip.csv')])
  t.equal(code, 0)
  t.match(stdout, /Not read: .*text\.mp4: ffmpeg cannot decode it \(/)
  const rows = rowsOf(path('clip.csv'))
  t.same([...new Set(rows.map(({ frame }) => Number(frame)))], [0, 1, 2, 3])
  t.same([...new Set(rows.map(({ timestamp }) => Number(timestamp)))], [0, 0.2, 0.4, 0.6])
  t.equal(rows.length, 8)
  for (const { face_id, x } of rows) t.equal(face_id, Number(x) > 250 ? '0' : '1', `face at ${x}`)
})

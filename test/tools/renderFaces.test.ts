/** The face renderer: wrong input is named, labels follow the rates, same seed gives same bytes. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { build } from 'esbuild'
import sharp from 'sharp'
import t from 'tap'
import { extract } from 'tar-stream'
import { readFaceModel } from '../../tools/renderFaces/faceModel.js'
import { planFaceSet } from '../../tools/renderFaces/faceSet.js'
import { parseOptions } from '../../tools/renderFaces/options.js'
import { moved } from '../movement.js'

const modelFolder = resolve(process.env.FMAE_ICT_MODEL ?? join('..', 'shared', 'data', 'ict-face'))
const skip = existsSync(join(modelFolder, 'ict-face.safetensors'))
  ? false
  : `no ICT face model in ${modelFolder} (set FMAE_ICT_MODEL)`
const committed = resolve('data', 'faces')

/** Members of a shard: name → bytes. */
async function members(file: string): Promise<Map<string, Buffer>> {
  const entries = Readable.from([gunzipSync(await readFile(file))]).pipe(extract())
  const found = new Map<string, Buffer>()
  for await (const entry of entries) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    found.set(entry.header.name, Buffer.concat(chunks))
  }
  return found
}

interface Label {
  readonly subject: string
  readonly AUs: number[]
  readonly intensities: Record<string, number>
}

interface Dataset {
  readonly aus: number[]
  readonly shards: { file: string; split: string; images: number }[]
}

/** Every label of a set by split; fails where a picture does not decode to the right size. */
async function readSet(folder: string, size: number): Promise<Map<string, Label[]>> {
  const dataset = JSON.parse(await readFile(join(folder, 'dataset.json'), 'utf8')) as Dataset
  const labels = new Map<string, Label[]>()
  for (const { file, split, images } of dataset.shards) {
    const bytes = await readFile(join(folder, file))
    if (bytes.length >= 1_000_000) throw new Error(`${file} has ${bytes.length} bytes`)
    const found = await members(join(folder, file))
    if (found.size !== 2 * images) throw new Error(`${file} has ${found.size} members for ${images} pictures`)
    const own = labels.get(split) ?? []
    labels.set(split, own)
    for (const [name, content] of found) {
      if (name.endsWith('.json')) own.push(JSON.parse(content.toString()) as Label)
      else {
        const { width, height } = await sharp(content).metadata()
        if (width !== size || height !== size) throw new Error(`${file}/${name} is ${width}×${height}`)
      }
    }
  }
  return labels
}

t.test('options: each complaint names its flag', async (t) => {
  const base = ['--model', 'm', '--out', 'o']
  t.match(parseOptions(base), { people: 168, perPerson: 24, size: 64, aus: 'bp4d', correlation: 4, seed: 0 })
  t.equal(parseOptions([...base, '--correlation', 'none'])?.correlation, null)
  t.throws(() => parseOptions(['--out', 'o']), { message: /--model/ })
  t.throws(() => parseOptions([...base, '--peple', '3']), { message: /--peple/ })
  t.throws(() => parseOptions([...base, 'stray']), { message: /argument/ })
  for (const [flag, value] of [
    ['--people', '2'],
    ['--people', 'x'],
    ['--per-person', '0'],
    ['--extra-people', '-1'],
    ['--size', '8'],
    ['--aus', 'fera'],
    ['--correlation', '0'],
    ['--correlation', 'strong'],
    ['--seed', '1.5'],
    ['--quality', '101'],
  ])
    t.throws(() => parseOptions([...base, flag, value]), { name: 'OptionError', message: new RegExp(flag) })
})

t.test('a missing model is named', async (t) => {
  await t.rejects(readFaceModel(t.testdir()), {
    name: 'FaceModelError',
    message: /ict-face.safetensors.*no such/,
  })
})

t.test('damaged model files are named', { skip }, async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'ict-face.safetensors')
  const bytes = await readFile(join(modelFolder, 'ict-face.safetensors'))
  const facs = await readFile(join(modelFolder, 'facs.json'), 'utf8')
  await writeFile(join(folder, 'facs.json'), facs)
  for (const [length, message] of [
    [20_000_000, /ict-face.safetensors: truncated: expression ends/],
    [100, /ict-face.safetensors: truncated: header/],
    [3, /ict-face.safetensors: truncated: 3 bytes/],
  ] as const) {
    await writeFile(file, bytes.subarray(0, length))
    await t.rejects(readFaceModel(folder), { message })
  }
  await writeFile(file, bytes)
  await writeFile(join(folder, 'facs.json'), facs.replaceAll('mouthDimple_L', 'mouthDimpled'))
  await t.rejects(readFaceModel(folder), { message: /facs.json: aus.14: shape mouthDimpled/ })
  await writeFile(join(folder, 'facs.json'), facs.slice(0, 500))
  await t.rejects(readFaceModel(folder), { message: /facs.json: .*not JSON/ })
})

t.test('labels follow the rates, folds share no one', { skip }, async (t) => {
  const model = await readFaceModel(modelFolder)
  const options = (c: string) =>
    parseOptions(['--model', 'm', '--out', 'o', '--people', '60', '--extra-people', '5', '--correlation', c])
  const spread = (c: string) => {
    const faces = planFaceSet(model, options(c)!)
    const labelled = faces.plans.filter((plan) => plan.split !== 'extra')
    const presence = labelled.flatMap((plan) => plan.picture.present)
    const mean = presence.filter(Boolean).length / presence.length
    t.ok(mean > 0.26 && mean < 0.33, `correlation ${c}: prevalence ${mean.toFixed(3)}`)
    t.same(
      faces.folds.map((fold) => fold.subjects.length),
      [20, 20, 20],
    )
    t.equal(new Set(faces.folds.flatMap((fold) => fold.subjects)).size, 60)
    t.equal(new Set(faces.plans.map((plan) => plan.number)).size, faces.plans.length)
    const other = planFaceSet(model, { ...options(c)!, seed: 1 }).plans
    t.notSame(other[0].picture.intensities, faces.plans[0].picture.intensities, 'another seed, other labels')
    const rates = [...new Set(labelled.map((plan) => plan.picture.person))].flatMap((person) => person.rates)
    return Math.sqrt(rates.reduce((sum, rate) => sum + (rate - 0.3) ** 2, 0) / rates.length)
  }
  t.equal(spread('none'), 0)
  // Beta(0.3c, 0.7c) has deviation sqrt(0.21 / (c + 1)).
  t.ok(Math.abs(spread('4') - 0.205) < 0.02)
  t.ok(Math.abs(spread('0.8') - 0.342) < 0.03)
})

t.test(
  'pairs that must not meet do not; AU 25 decides whether 9 and 26 part the lips',
  { skip },
  async (t) => {
    const model = await readFaceModel(modelFolder)
    const options = parseOptions(['--model', 'm', '--out', 'o', '--people', '40', '--aus', 'disfa'])!
    const wrong: string[] = []
    for (const aus of ['bp4d', 'disfa'] as const)
      for (const { key, picture } of planFaceSet(model, { ...options, aus }).plans) {
        const has = (au: number) => picture.present[model.facs.sets[aus].indexOf(au)] ?? false
        const intensity = (au: number) => picture.intensities[model.facs.sets[aus].indexOf(au)] ?? 0
        if (has(10) && has(24)) wrong.push(`${key}: AU 10 with AU 24`)
        const lift = intensity(6) + intensity(7)
        if (has(6) && has(7) && lift > 1.3001) wrong.push(`${key}: AU 6 + 7 = ${lift}`)
        const close = picture.weights[model.expressions.indexOf('mouthClose')] - picture.person.mouthClose
        if (aus === 'disfa' && has(26) && !has(25) && close < 0.14) wrong.push(`${key}: mouthClose ${close}`)
      }
    t.same(wrong, [])
  },
)

t.test('same seed, same bytes; the command line works', { skip }, async (t) => {
  const folder = t.testdir()
  const program = resolve('dist', `renderFaces-test-${process.pid}.mjs`)
  await mkdir(resolve('dist'), { recursive: true })
  await build({
    entryPoints: ['tools/renderFaces/renderFaces.ts'],
    ...{ bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'error' },
    outfile: program,
  })
  const run = (out: string, model = modelFolder) =>
    promisify(execFile)(process.execPath, [
      ...[program, '--model', model, '--out', join(folder, out), '--people', '3', '--per-person', '3'],
      ...['--extra-people', '2', '--seed', '7'],
    ])
  await t.rejects(run('a', folder), { code: 1, stderr: /ict-face.safetensors: cannot be read/ })
  await run('a')
  moved()
  await run('b')
  const shard = (out: string) => readFile(join(folder, out, 'fold1-000.tar.gz'))
  t.ok((await shard('a')).equals(await shard('b')), 'same seed')
  const labels = await readSet(join(folder, 'a'), 64)
  t.same(
    [...labels].map(([split, own]) => [split, own.length]),
    [
      ['fold1', 3],
      ['fold2', 3],
      ['fold3', 3],
      ['extra', 2],
    ],
  )
  await rm(program)
})

t.test('the bundled set: readable, in proportion, no person in two folds', async (t) => {
  const labels = await readSet(committed, 64)
  const { folds } = JSON.parse(await readFile(join(committed, 'folds.json'), 'utf8')) as {
    folds: { name: string; subjects: string[] }[]
  }
  t.equal(new Set(folds.flatMap((fold) => fold.subjects)).size, 168)
  for (const { name, subjects } of folds) {
    const own = labels.get(name) ?? []
    t.equal(own.length, 1344, name)
    t.same(new Set(own.map((label) => label.subject)), new Set(subjects), `${name}: its people`)
    for (const au of [1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24]) {
      const share = own.filter((label) => label.AUs.includes(au)).length / own.length
      if (share < 0.15 || share > 0.45) t.fail(`${name}: AU ${au} in ${share.toFixed(3)} of the pictures`)
    }
  }
  const wrong = [...labels.values()].flat().filter((label) => {
    const strong = Object.entries(label.intensities).filter(([, s]) => s > 0.2)
    return strong.map(([au]) => Number(au)).join() !== label.AUs.join()
  })
  t.same(wrong, [], 'presence and intensity agree')
})

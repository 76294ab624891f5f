import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { buildBrowser } from '../../scripts/build.mjs'
import { root } from '../../scripts/process.mjs'
import { type FaceUnits, loadClassifier, openDevice, type Runtime } from '../../src/index.js'
import { saveCheckpoint } from '../../src/train/checkpoint/checkpointFile.node.js'
import { fineTuneDefaults } from '../../src/train/settings.js'
import { photo } from '../face/photo.js'
import { noiseAus } from '../train/noiseImages.js'
import { noiseFineTuning, tinyClassifier } from '../train/noiseRuns.js'
import { launchChromium, serveFolder } from './chromium.js'

// The library as web developers get it: one file, and the pages of docs/browser.md.

const folder = await mkdtemp(join(tmpdir(), 'fmae-library-'))
const bundle = await buildBrowser()
const guide = await readFile(join(root, 'docs', 'browser.md'), 'utf8')
const chromium = await launchChromium()
const { skip } = chromium
await copyFile(join(root, bundle), join(folder, 'fmae-webgpu.js'))
await symlink(join(root, 'data', 'faces'), join(folder, 'faces'))
await symlink(join(root, 'node_modules', '@vladmandic', 'human', 'models'), join(folder, 'faceModels'))
const { url, close } = await serveFolder(folder, { basePath: '/somewhere/else/' })
t.teardown(async () => {
  await close()
  await rm(folder, { recursive: true })
})

/** Puts a page of the document into the folder and opens it. */
async function openExample(name: string) {
  const [, page] = new RegExp(`<!-- example: ${name} -->\n\`\`\`html\n(.*?)\`\`\``, 's').exec(guide) ?? []
  if (!page) throw new Error(`docs/browser.md has no example ${name}`)
  await writeFile(join(folder, `${name}.html`), page)
  return chromium.open(`${url}${name}.html`)
}

/** A classifier after a few steps; returns its file. */
async function trainedClassifier(runtime: Runtime): Promise<string> {
  const run = noiseFineTuning(runtime, tinyClassifier, { batchSize: 4 })
  const file = join(folder, 'checkpoint.safetensors')
  await saveCheckpoint(file, run, {
    config: tinyClassifier,
    settings: fineTuneDefaults({ lambda: 1, batchSize: 4 }),
    aus: noiseAus,
    crop: 'aligned',
  })
  return file
}

t.test('a page finds the faces of an image, and their action units', { skip }, async (t) => {
  const runtime = await openDevice()
  t.teardown(() => runtime.close())
  const file = await trainedClassifier(runtime)
  const places = [
    { face: 0, side: 200, left: 380, top: 60 },
    { face: 24, side: 110, left: 40, top: 200 },
  ]
  const image = await sharp(await photo(places))
    .jpeg({ quality: 90 })
    .toBuffer()
  const expected = await (await loadClassifier(file, { runtime })).predict(image)
  const { page, errors } = await openExample('classify')
  await page.waitForFunction(() => document.querySelector('input')!.onchange)
  await page.setInputFiles('input', { name: 'face.jpg', mimeType: 'image/jpeg', buffer: image })
  await page.waitForFunction(() => document.querySelector('pre')!.textContent)
  const found = JSON.parse((await page.textContent('pre'))!) as FaceUnits[]
  t.equal(found.length, 2)
  for (const [i, { box, points, probabilities }] of expected.entries()) {
    for (const side of ['x', 'y', 'width', 'height'] as const)
      t.ok(Math.abs(found[i].box![side] - box![side]) < 0.5, `${side} of face ${i}`)
    for (const name of ['leftEye', 'rightEye', 'noseBase'] as const) {
      const [[x, y], [u, v]] = [found[i].points![name], points![name]]
      t.ok(Math.hypot(x - u, y - v) < 0.5, `${name} of face ${i}`)
    }
    for (const [au, probability] of Object.entries(probabilities)) {
      const distance = Math.abs(found[i].probabilities[Number(au)] - probability)
      t.ok(distance < 1e-4, `AU ${au} of face ${i}: ${distance}`)
    }
  }
  t.same(errors, [])
})

t.test('a page trains', { skip }, async (t) => {
  const { page, errors } = await openExample('train')
  await page.waitForFunction(() => document.querySelector('pre')!.textContent.includes('20: '))
  const lines = (await page.textContent('pre'))!.trim().split('\n')
  const losses = lines.map((line) => Number(line.split(': ')[1]))
  t.equal(losses.length, 20)
  t.ok(losses[19] < losses[0], `${losses[0]} … ${losses[19]}`)
  t.same(errors, [])
})

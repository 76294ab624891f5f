import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { buildBrowser } from '../../scripts/build.mjs'
import { root } from '../../scripts/process.mjs'
import { imageDecoder } from '../../src/data/decodeImage.node.js'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { openDevice, type Runtime, sigmoid, standardise } from '../../src/index.js'
import { readInfo } from '../../src/train/checkpoint/checkpoint.js'
import { saveCheckpoint } from '../../src/train/checkpoint/checkpointFile.node.js'
import { loadClassifier } from '../../src/train/checkpoint/loadModel.js'
import { readSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { fineTuneDefaults } from '../../src/train/settings.js'
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
  })
  return file
}

/** What Node says of a picture: pairs of AU and probability. */
async function inNode(runtime: Runtime, file: string, image: Uint8Array): Promise<[number, number][]> {
  const checkpoint = await readSafetensors(file)
  const info = readInfo(checkpoint, file)
  if (info.kind !== 'iat') throw new Error(`${file} is no classifier`)
  const size = info.config.imageSize
  const model = loadClassifier(runtime, info.config, checkpoint, file)
  const input = standardise(await imageDecoder.decode(image, size), size, info.standardise)
  const logits = await model.forward(runtime.tensor(input, [1, 3, size, size])).auLogits.read()
  return info.aus.map((au, i) => [au, sigmoid(logits[i])])
}

t.test('a page shows the action units of a picture', { skip }, async (t) => {
  const runtime = await openDevice()
  t.teardown(() => runtime.close())
  const file = await trainedClassifier(runtime)
  const set = await openImageSet('data/faces')
  const { page, errors } = await openExample('classify')
  const image = await sizedImage(await set.bytes(3))
  await page.waitForFunction(() => document.querySelector('input')!.onchange)
  await page.setInputFiles('input', { name: 'face.png', mimeType: 'image/png', buffer: image })
  await page.waitForFunction(() => document.querySelector('pre')!.textContent)
  const lines = (await page.textContent('pre'))!.split('\n')
  const expected = await inNode(runtime, file, image)
  t.equal(lines.length, expected.length)
  for (const [i, [au, probability]] of expected.entries()) {
    t.match(lines[i], new RegExp(`^AU ${au}: 0\\.\\d{4}$`))
    const error = Math.abs(Number(lines[i].split(': ')[1]) - probability)
    t.ok(error < 1e-4, `${lines[i]}, in Node ${probability}`)
  }
  t.same(errors, [])
})

/** The picture in the tiny model's size, so that no browser has to scale it. */
async function sizedImage(bytes: Uint8Array): Promise<Buffer> {
  const { default: sharp } = await import('sharp')
  return sharp(bytes).resize(tinyClassifier.imageSize).png().toBuffer()
}

t.test('a page trains', { skip }, async (t) => {
  const { page, errors } = await openExample('train')
  await page.waitForFunction(() => document.querySelector('pre')!.textContent.includes('20: '))
  const lines = (await page.textContent('pre'))!.trim().split('\n')
  const losses = lines.map((line) => Number(line.split(': ')[1]))
  t.equal(losses.length, 20)
  t.ok(losses[19] < losses[0], `${losses[0]} … ${losses[19]}`)
  t.same(errors, [])
})

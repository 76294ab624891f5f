import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { standardise } from '../../src/data/standardise.js'
import { openDevice } from '../../src/engine/device.js'
import { attentionMap } from '../../src/model/attentionMap.js'
import { readInfo } from '../../src/train/checkpoint/checkpoint.js'
import { loadClassifier } from '../../src/train/checkpoint/loadModel.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { readSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { root, runProgram } from '../cli/program.js'
import { tinyAus, tinyEncoder, tinyMembers, writeFaces } from '../cli/tinyFaces.js'
import { launchChromium } from './chromium.js'
import { scratch, serveDemo, visit } from './demoPage.js'
import { SUBJECTS_PER_FOLD } from './fewFaces.js'
import { choosePhoto, cropOf, openModel, openTryIt, type TryItTab, unitsOf } from './tryItTab.js'

// The Try it tab: photographs and the camera through a model that Node trained, and models to and fro between
// Node and the page.

const SIDE = 32
const london = join(root, '..', 'shared', 'data', 'london')
const noPhotos = existsSync(london)
  ? false
  : `no photographs: ${join('..', 'shared', 'data', 'london')} is not there`

const folder = await mkdtemp(join(tmpdir(), 'fmae-try-it-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

const film = noPhotos ? null : await filmOf(['001_smiling.jpg', '001_neutral.jpg'])
const camera = [
  '--use-fake-device-for-media-stream',
  ...(film ? [`--use-file-for-fake-video-capture=${film}`] : []),
]
const chromium = await launchChromium({ args: camera })
const url = chromium.skip ? '' : await serveDemo({ fewFaces: true })
const only = { skip: chromium.skip }
const withPhotos = { skip: chromium.skip || noPhotos }
const noCamera = chromium.skip || (await cameraMissing())
const withCamera = { skip: noCamera }

/** The headless shell of the npm package was built without cameras. */
async function cameraMissing(): Promise<string | false> {
  const { page } = await chromium.open(`${url}faces/dataset.json`)
  const error = await page.evaluate(() =>
    navigator.mediaDevices.getUserMedia({ video: true }).then(
      () => null,
      ({ name }: DOMException) => name,
    ),
  )
  return error === 'NotSupportedError' ? `Chromium ${chromium.version} was built without cameras` : false
}

/** Motion JPEG, which is one picture after the other: what the browser takes for its camera. */
async function filmOf(names: readonly string[]): Promise<string> {
  const images = names.flatMap((name) => Array<Buffer>(15).fill(readFileSync(join(london, name))))
  await writeFile(at('film.mjpeg'), Buffer.concat(images))
  return at('film.mjpeg')
}

/** Trains with the command line; the path of the checkpoint. */
async function train(name: string, args: readonly string[]): Promise<string> {
  const { code, signal, stderr } = await runProgram([
    ...args,
    '--data',
    faces,
    ...sizes,
    '--out',
    at(name),
    '--no-tune',
  ])
  if (code !== 0) throw new Error(`${args[0]} ended by ${signal ?? code}:\n${stderr}`)
  return join(at(name), 'checkpoint.safetensors')
}

const faces = await writeFaces(at('faces'), await tinyMembers())
const sizes = '--batch-size 4 --epochs 2 --warmup-epochs 1'.split(' ')
const classifier = await train('classifier', ['finetune', ...tinyEncoder, '--lambda', '1'])
/** As the Pretrain tab has them: 64 px, heads of 16, the decoder of FMAE-nano. */
const pageSizes = '--image-size 64 --width 32 --heads 2 --depth 1'.split(' ')
const pretrained = await train('pretrained', ['pretrain', ...pageSizes])

const openTab = (options?: Parameters<typeof openTryIt>[2]) => openTryIt(chromium, url, options)

/** The same picture through the same file in Node. */
async function inNode(crop: Uint8Array) {
  const file = await readSafetensors(classifier)
  const info = readInfo(file, classifier)
  if (info.kind !== 'iat') throw new Error(`a classifier was trained, not ${info.kind}`)
  const runtime = await openDevice()
  const model = loadClassifier(runtime, info.config, file, classifier)
  const images = runtime.tensor(standardise(crop, SIDE, info.standardise), [1, 3, SIDE, SIDE])
  const logits = (await model.forward(images).auLogits.read()) as Float32Array
  const attention = await attentionMap(model, images)
  runtime.close()
  return { probabilities: Array.from(logits, (x) => 1 / (1 + Math.exp(-x))), attention }
}

async function sameAsNode(t: Test, tab: TryItTab): Promise<void> {
  const units = await unitsOf(tab)
  t.same([...units.keys()], tinyAus)
  const { probabilities, attention } = await inNode(await cropOf(tab))
  probabilities.forEach((probability, i) => {
    const ours = units.get(tinyAus[i])!
    t.ok(Math.abs(ours - probability) < 1e-4, `AU ${tinyAus[i]}: ${ours} in the page, ${probability} in Node`)
  })
  const brightest = await tab.area.getByText('Highest attention of a patch').textContent()
  const share = Math.max(...attention)
  t.ok(
    Math.abs(Number.parseFloat(brightest!.split(':')[1]) - 100 * share) <= 0.51,
    `${brightest}; in Node ${share}`,
  )
}

t.test('photographs, dropped, pasted and from the camera', withPhotos, async (t) => {
  const tab = await openTab({ permissions: ['camera'] })
  const { area } = tab
  const step = visit(t)

  await step('a photograph gives AU values', async (t) => {
    await choosePhoto(tab, '001_smiling.jpg', await readFile(join(london, '001_smiling.jpg')))
    await area.getByText('Input and attention of the encoder').waitFor()
    t.ok(await area.getByText('There is no AU classifier yet.').isVisible(), 'no model: it says so')
    await openModel(tab, classifier)
    await sameAsNode(t, tab)
    t.ok(await area.getByText('The crop is aligned to the eyes').isVisible(), 'the face was found')
  })

  for (const [how, name] of [
    ['paste', '002_neutral.jpg'],
    ['drop', '003_smiling.jpg'],
  ] as const)
    await step(`so does one by ${how}`, async (t) => {
      const before = await unitsOf(tab)
      await give(tab, how, name)
      await changed(tab, before)
      await sameAsNode(t, tab)
    })

  await step('the camera gives AU values over time', async (t) => {
    if (noCamera) {
      t.pass(noCamera, { skip: noCamera })
      return
    }
    await area.getByRole('button', { name: 'Use the camera' }).click()
    await area.getByText('Action units with the highest probabilities').waitFor()
    await changed(tab, await unitsOf(tab))
    await tab.page.getByRole('tab', { name: 'Pretrain' }).click()
    await tab.page.getByRole('tab', { name: 'Try it' }).click()
    t.ok(
      await area.getByRole('button', { name: 'Use the camera' }).isVisible(),
      'it stops behind another tab',
    )
  })

  t.same(tab.errors, [])
  t.same(tab.elsewhere, [], 'nothing left the page')
})

/** Hands the page a photograph as the clipboard or a dragged file does. */
async function give({ page }: TryItTab, how: 'paste' | 'drop', name: string): Promise<void> {
  const bytes = [...(await readFile(join(london, name)))]
  await page.evaluate(
    ({ how, name, bytes }) => {
      const data = new DataTransfer()
      data.items.add(new File([Uint8Array.from(bytes)], name, { type: 'image/jpeg' }))
      const init = { bubbles: true, cancelable: true }
      const event =
        how === 'paste'
          ? new ClipboardEvent(how, { ...init, clipboardData: data })
          : new DragEvent(how, { ...init, dataTransfer: data })
      document.querySelector('h1')!.dispatchEvent(event)
    },
    { how, name, bytes },
  )
}

/** Waits until the page shows other values. */
async function changed({ page, area }: TryItTab, before: ReadonlyMap<number, number>): Promise<void> {
  const [first] = before
  await page.waitForFunction(
    ([au, value]) =>
      Number(document.querySelector<HTMLElement>(`[data-au="${au}"]`)!.dataset.probability) !== value,
    first,
  )
  await area.locator('.seen').waitFor()
}

t.test('a camera that is refused is told of', withCamera, async (t) => {
  const tab = await openTab({ permissions: [] })
  await tab.area.getByRole('button', { name: 'Use the camera' }).click()
  t.match(
    await tab.area.getByRole('alert').textContent(),
    /^The browser denied access to the camera\. Allow it for this page/,
  )
  t.same(tab.errors, [])
})

t.test('a picture without a face', only, async (t) => {
  const tab = await openTab()
  const { area } = tab
  await openModel(tab, classifier)
  const stripes = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (i * 7) % 256)
  const raw = { width: SIDE, height: SIDE, channels: 3 } as const
  const image = await sharp(stripes, { raw }).png().toBuffer()
  const step = visit(t)

  await step('a face finder that cannot be fetched says so, and is fetched again', async (t) => {
    const models = '**/faceModels/facemesh.*'
    await tab.page.context().route(models, (route) => route.abort())
    await choosePhoto(tab, 'stripes.png', image)
    const alert = await area.getByRole('alert').textContent()
    t.match(alert, /^Face detection failed: the model facemesh cannot be loaded \(.+\)\. Try again\.$/)
    await tab.page.context().unroute(models)
    await choosePhoto(tab, 'stripes.png', image)
    await area.getByText('No face was detected in this image.').waitFor()
    t.notOk(await area.getByRole('alert').isVisible())
  })

  await step('is read as a whole on request', async (t) => {
    await area.getByRole('button', { name: 'Use the whole image' }).click()
    await area.getByText('The model gets the whole image').waitFor()
    await sameAsNode(t, tab)
    t.same(await cropOf(tab), stripes, 'a picture of the right size comes through as it is')
  })

  t.same(tab.errors, [])
})

t.test('files that are neither get their sentence', only, async (t) => {
  const tab = await openTab()
  const problem = async (name: string, bytes: Uint8Array) => {
    await tab.area
      .getByLabel(/Choose|Open a model/)
      .first()
      .setInputFiles({ name, mimeType: '', buffer: Buffer.from(bytes) })
    return tab.area.getByRole('alert').filter({ hasText: name }).textContent()
  }
  const text = new TextEncoder().encode('not a picture')
  t.equal(await problem('notes.jpg', text), 'notes.jpg is not an image that this browser can read.')
  t.match(await problem('text.safetensors', text), /^text\.safetensors: not a safetensors file: /)
  const whole = await readFile(classifier)
  t.match(
    await problem('cut.safetensors', whole.subarray(0, -100)),
    /^cut\.safetensors: truncated: its tensors end at /,
  )
  t.match(
    await problem('short.safetensors', whole.subarray(0, 3)),
    /: not a safetensors file: it has only 3 bytes$/,
  )
  const other = await readFile(join(root, 'test', 'golden', 'classifier.safetensors'))
  t.match(
    await problem('other.safetensors', other),
    /^other\.safetensors: not a checkpoint of fmae-webgpu: metadata field format/,
  )
  t.ok(await tab.area.getByText('There is no AU classifier yet.').isVisible(), 'none of them became a model')
  t.same(tab.errors, [])
})

async function download(tab: TryItTab, name: string): Promise<SafetensorsFile> {
  const downloading = tab.page.waitForEvent('download')
  await tab.area.getByRole('button', { name: 'Download this model' }).click()
  await (await downloading).saveAs(at(name))
  return readSafetensors(at(name))
}

function sameTensors(t: Test, ours: SafetensorsFile, theirs: SafetensorsFile): void {
  t.same([...ours.tensors.keys()].sort(), [...theirs.tensors.keys()].sort())
  const bits = ({ tensors }: SafetensorsFile, name: string) => {
    const { data } = tensors.get(name)!
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  }
  const different = [...theirs.tensors.keys()].filter((name) => !bits(ours, name).equals(bits(theirs, name)))
  t.same(different, [], 'tensors whose bits differ')
  for (const field of ['kind', 'step', 'standardise'])
    t.equal(ours.metadata[field], theirs.metadata[field], field)
  t.same(JSON.parse(ours.metadata.config), JSON.parse(theirs.metadata.config))
}

t.test('a classifier goes from Node into the page and back, bit for bit', only, async (t) => {
  const tab = await openTab()
  await openModel(tab, classifier)
  const back = await download(tab, 'back.safetensors')
  sameTensors(t, back, await readSafetensors(classifier))
  const scores = await Promise.all(
    [classifier, at('back.safetensors')].map(async (checkpoint, i) => {
      const json = at(`scores${i}.json`)
      const { code, stderr } = await runProgram([
        'evaluate',
        '--checkpoint',
        checkpoint,
        '--data',
        faces,
        '--json',
        json,
      ])
      t.equal(code, 0, stderr)
      return JSON.parse(readFileSync(json, 'utf8'))
    }),
  )
  t.equal(scores[1].images, 24)
  t.same(scores[1], scores[0], 'evaluate finds the same in both files')
  t.same(tab.errors, [])
})

t.test(
  'a masked autoencoder becomes the run of the Pretrain tab, and comes back bit for bit',
  only,
  async (t) => {
    const tab = await openTab()
    await openModel(tab, pretrained)
    const theirs = await readSafetensors(pretrained)
    await tab.area.getByText(`no AUs, 64 px, step ${theirs.metadata.step}`).waitFor()
    sameTensors(t, await download(tab, 'fmae.safetensors'), theirs)
    await tab.page.getByRole('tab', { name: 'Pretrain' }).click()
    const readings = tab.page.locator('#panel-pretrain .readings')
    t.match(await readings.textContent(), new RegExp(`Step\\s*${theirs.metadata.step}`))
    await train('from-page', ['finetune', ...pageSizes, '--from', at('fmae.safetensors')])
    t.same(tab.errors, [])
  },
)

t.test('a file does not replace the run of the Pretrain tab unasked', only, async (t) => {
  const tab = await openTab()
  await openModel(tab, pretrained)
  const details = tab.area.getByText(/^no AUs, 64 px, step/)
  await details.waitFor()
  await openModel(tab, pretrained)
  const question = tab.area.getByRole('alert').filter({ hasText: 'replaces the run' })
  const { step } = (await readSafetensors(pretrained)).metadata
  t.match(await question.textContent(), `at step ${step}`)
  await tab.area.getByRole('button', { name: 'Keep the run' }).click()
  await question.waitFor({ state: 'detached' })
  await openModel(tab, pretrained)
  await tab.area.getByRole('button', { name: 'Replace the run' }).click()
  await question.waitFor({ state: 'detached' })
  t.ok(await details.isVisible())
  t.same(tab.errors, [])
})

t.test(
  'the classifiers of the Fine-tune tab are offered, and Node evaluates what is downloaded',
  only,
  async (t) => {
    const tab = await openTab()
    await openModel(tab, pretrained)
    await tab.area.getByText(/^no AUs, 64 px, step/).waitFor()
    await tab.page.getByRole('tab', { name: 'Fine-tune' }).click()
    const fineTune = tab.page.getByRole('tabpanel', { name: 'Fine-tune' })
    await fineTune.getByRole('button', { name: 'One step', exact: true }).click()
    await fineTune.locator('.readings[data-state=paused]').waitFor()
    await tab.page.getByRole('tab', { name: 'Try it' }).click()
    const choice = tab.area.getByRole('combobox', { name: 'Model' })
    await choice.locator('option').nth(2).waitFor({ state: 'attached' })
    t.same(await choice.locator('option').allTextContents(), [
      'Fine-tune, λ = 1',
      'Fine-tune, λ = 0',
      'Pretrain, encoder only',
    ])
    await choice.selectOption({ label: 'Fine-tune, λ = 0' })
    await tab.area.getByText('12 AUs, λ = 0, 64 px, step 1').waitFor()
    await download(tab, 'pair.safetensors')
    const data = ['--data', join(scratch, 'demo', 'faces'), '--test-fold', 'fold3']
    const { code, stdout, stderr } = await runProgram([
      'evaluate',
      '--checkpoint',
      at('pair.safetensors'),
      ...data,
    ])
    t.equal(code, 0, stderr)
    t.match(stdout, `${24 * SUBJECTS_PER_FOLD} images from`)
    t.same(tab.errors, [])
  },
)

t.test(
  'a masked autoencoder that the Pretrain tab does not support is refused by name of the field',
  only,
  async (t) => {
    const tab = await openTab()
    const other = await train('other', ['pretrain', ...tinyEncoder])
    await openModel(tab, other)
    t.match(
      await tab.area.getByRole('alert').textContent(),
      /imageSize is 32, but the Pretrain tab supports only 64/,
    )
  },
)

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { imagesDigest } from '../../src/data/imagesDigest.js'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { readInfo } from '../../src/train/checkpoint/checkpoint.js'
import { readSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { launchChromium } from './chromium.js'
import { opened, Panel, scratch, serveDemo, storedRun, storedRunning, visit } from './demoPage.js'

// The Your own data tab: a folder of the visitor's is read, trained on, and picked again after a reload.

const chromium = await launchChromium()
const url = chromium.skip ? '' : `${await serveDemo()}#ownData`
const only = { skip: chromium.skip }
const PEOPLE = 6
const EACH = 4

/** Some of the bundled faces as a folder of pictures with labels. */
async function makeFaces(): Promise<string> {
  const folder = join(scratch, 'my faces')
  const set = await openImageSet(fileURLToPath(new URL('../../data/faces/fold1-000.tar.gz', import.meta.url)))
  const counts = new Map<string, number>()
  const lines: string[] = []
  for (let index = 0; lines.length < PEOPLE * EACH; index++) {
    const { subject, aus } = set.sample(index)
    const count = counts.get(subject!) ?? 0
    if (count === EACH || (count === 0 && counts.size === PEOPLE)) continue
    counts.set(subject!, count + 1)
    const path = `${subject}/${count}.jpg`
    write(join(folder, path), await set.bytes(index))
    lines.push(JSON.stringify({ img_path: path, AUs: aus, subject }))
  }
  write(join(folder, 'labels.jsonl'), lines.join('\n'))
  return folder
}

function write(path: string, content: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

/** A copy of the faces in which one thing is different. */
function variant(faces: string, name: string, change: (folder: string) => void): string {
  const folder = join(scratch, name)
  rmSync(folder, { recursive: true, force: true })
  cpSync(faces, folder, { recursive: true })
  change(folder)
  return folder
}

function tab(page: Page): Locator {
  return page.getByRole('tabpanel', { name: 'Your own data' })
}

async function choose(page: Page, files: string, button = 'Choose a folder'): Promise<void> {
  const asked = page.waitForEvent('filechooser')
  await tab(page).getByRole('button', { name: button }).press('Enter')
  await (await asked).setFiles(files)
}

function training(page: Page, name: 'Pretrain on your images' | 'Fine-tune on your images'): Panel {
  return new Panel(tab(page).getByRole('region', { name }))
}

async function set(panel: Panel, values: Readonly<Record<string, string>>): Promise<void> {
  for (const [label, value] of Object.entries(values))
    await panel.area.getByRole('combobox', { name: label }).selectOption(value)
}

const PRETRAIN_TAB = '#panel-pretrain'

/** The Pretrain tab trains, and the Your own data tab is in sight. */
async function startPretrainTab(page: Page): Promise<void> {
  await page.getByRole('tab', { name: 'Pretrain' }).click()
  const run = new Panel(page.locator(PRETRAIN_TAB))
  await set(run, { Width: '32', 'Depth (blocks)': '1', Batch: '16' })
  await run.button('Start').click()
  await run.reaches(1)
  await page.getByRole('tab', { name: 'Your own data' }).click()
}

const faces = chromium.skip ? '' : await makeFaces()

t.test(
  'a folder with labels is summed up, pretrained on, fine-tuned on, and goes on after a reload',
  only,
  async (t) => {
    const { page, errors } = await chromium.open(url)
    await opened(page)
    const [pretrain, fineTune] = [
      training(page, 'Pretrain on your images'),
      training(page, 'Fine-tune on your images'),
    ]
    const step = visit(t)

    await step('the summary tells what is in it', async (t) => {
      await choose(page, faces)
      const summary = tab(page).getByRole('region', { name: 'Contents of my faces' })
      await summary.waitFor()
      const text = (await summary.textContent())!
      t.match(text, /Images24Subjects6With AU labels24Action units12/)
      const labels = readFileSync(join(faces, 'labels.jsonl'), 'utf8').split('\n')
      const smiles = labels.filter((line) => (JSON.parse(line).AUs as number[]).includes(12)).length
      t.match(text, `AU 12 lip corner puller${smiles}${Math.round((100 * smiles) / 24)}%`)
      t.match(text, /fold12 subjects8 imagesfold22 subjects8 imagesfold32 subjects8 images/)
      t.equal(await summary.locator('canvas').count(), 12)
    })

    await step('pretraining on it shows pictures that it never trains on', async (t) => {
      await set(pretrain, { Width: '32', 'Depth (blocks)': '1', Batch: '8', Epochs: '256' })
      await pretrain.area.getByLabel('Learning rate').fill('-1.5')
      await pretrain.button('Start').click()
      await pretrain.reaches(20)
      t.equal(await pretrain.area.locator('.face-row canvas').count(), 18)
    })

    await step(
      'fine-tuning starts from it, which gives way, and is tested on other people after each epoch',
      async (t) => {
        t.match(await fineTune.area.textContent(), /will start from the encoder pretrained on your images/)
        await set(fineTune, { Batch: '8', Epochs: '64' })
        await fineTune.button('Start').click()
        await fineTune.reaches(4)
        await fineTune.pause()
        await pretrain.rests()
        const losses = (await storedRun(page, 'ownPretrain'))!.steps.map(({ losses }) => losses.loss)
        const mean = (values: readonly number[]) =>
          values.reduce((sum, value) => sum + value, 0) / values.length
        const [first, last] = [mean(losses.slice(0, 5)), mean(losses.slice(-5))]
        t.ok(last < first, `mean loss of 5 steps: ${first.toFixed(3)} first, ${last.toFixed(3)} last`)
        const { settings } = (await storedRun(page, 'ownFineTune'))!
        t.match(settings, { from: 'ownPretrain', lambda: 0 })
        t.match(
          await fineTune.area.textContent(),
          `pretrained on your images (step ${settings.pretrainStep})`,
        )
        t.ok(Number(settings.pretrainStep) >= 20)
        const table = fineTune.area.getByRole('table', { name: 'Scores on held-out subjects' })
        t.match(
          await table.textContent(),
          /after epoch \d+\..*AU 1 inner brow raiser\d\.\d{3}.*Mean\d\.\d{3}/,
        )
        t.equal(await table.getByRole('row').count(), 14, 'a head, 12 units, the mean')
      },
    )

    await step('both models are downloaded as the command line reads them', async (t) => {
      const variants = new Set<string>()
      for (const [panel, kind] of [
        [pretrain, 'fmae'],
        [fineTune, 'iat'],
      ] as const) {
        const [download] = await Promise.all([
          page.waitForEvent('download'),
          panel.button('Download the model').click(),
        ])
        const path = join(scratch, download.suggestedFilename())
        await download.saveAs(path)
        const file = await readSafetensors(path)
        t.equal(readInfo(file, path).kind, kind)
        t.equal(file.metadata.step, String(await panel.step()))
        t.match(file.metadata.pictures, /^16 pictures, sha256 [0-9a-f]{16}$/, 'those that are trained on')
        variants.add(file.metadata.variants)
      }
      t.equal(variants.size, 2, 'each run pins the kernels that it was settled on')
      const set = await openImageSet(faces)
      const all = Array.from({ length: set.length }, (_, index) => index)
      const { folder } = (await storedRun(page, 'ownPretrain'))!.settings as { folder: { images: string } }
      t.equal(folder.images, await imagesDigest(set, all), 'Node tells the pictures apart by the same digest')
    })

    await step('after a reload both wait for that folder, and for no other', async (t) => {
      const steps = [await pretrain.step(), await fineTune.step()]
      await pretrain.button('Resume').click()
      await storedRunning(page, 'ownPretrain', steps[0] + 1)
      await page.reload()
      await opened(page)
      const waiting = tab(page).getByRole('status')
      await waiting.waitFor()
      t.match(
        await waiting.textContent(),
        /pretraining run on “my faces” is saved at step \d+.*fine-tuning run.*saved at step/,
      )
      const other = variant(faces, 'other faces', (folder) => {
        const labels = join(folder, 'labels.jsonl')
        writeFileSync(labels, readFileSync(labels, 'utf8').split('\n').slice(1).join('\n'))
      })
      await choose(page, other)
      const problem = tab(page).getByRole('alert')
      await problem.waitFor()
      t.match(
        await problem.textContent(),
        /other faces is not the folder of the saved run “my faces” at step \d+\. That folder has 24 \w+, sha256 .*; this one has 23 /,
      )
      await startPretrainTab(page)
      await choose(page, faces)
      await pretrain.reaches(steps[0] + 3)
      t.equal(
        await page.locator(`${PRETRAIN_TAB} .readings`).getAttribute('data-state'),
        'paused',
        'the Pretrain tab gave way',
      )
      t.equal(await fineTune.step(), steps[1])
      t.ok(await fineTune.area.getByRole('table', { name: 'Scores on held-out subjects' }).isVisible())
      await choose(page, faces)
      await pretrain.reaches((await pretrain.step()) + 3)
      await pretrain.state('running')
      t.pass('it goes on when the same folder is chosen again')
      await pretrain.pause()
      const stored = (await storedRun(page, 'ownPretrain'))!.steps.map(({ step }) => step)
      t.same(
        stored,
        Array.from(stored, (_, at) => at + 1),
        'each step once',
      )
    })

    await step('thrown away, they make room for another folder', async (t) => {
      await page.getByRole('tab', { name: 'Pretrain' }).click()
      await page.locator(PRETRAIN_TAB).getByRole('button', { name: 'Reset' }).click()
      await page.getByRole('tab', { name: 'Your own data' }).click()
      await tab(page).getByRole('button', { name: 'Delete the saved runs' }).click()
      await pretrain.state('empty')
      await fineTune.state('empty')
      t.equal(await storedRun(page, 'ownPretrain'), null)
      await choose(page, join(scratch, 'other faces'))
      await tab(page).getByRole('region', { name: 'Contents of other faces' }).waitFor()
      t.match(await fineTune.area.textContent(), 'It will start from random weights.')
      await set(fineTune, { Batch: '8' })
      await fineTune.area.getByLabel('Gradient reversal λ').fill('1.5')
      await fineTune.button('One step').click()
      await fineTune.rests()
      const { settings, steps } = (await storedRun(page, 'ownFineTune'))!
      t.match(settings, { lambda: 1.5, from: 'scratch', folder: { name: 'other faces' } })
      t.same(Object.keys(steps[0].losses), ['loss', 'au', 'id'], 'λ above 0 adds the identity loss')
    })
    t.same(errors, [])
  },
)

t.test('pictures without labels can be pretrained on only', only, async (t) => {
  const plain = variant(faces, 'plain', (folder) => rmSync(join(folder, 'labels.jsonl')))
  const { page, errors } = await chromium.open(url)
  await opened(page)
  await choose(page, plain)
  await tab(page).getByRole('region', { name: 'Contents of plain' }).waitFor()
  t.match(await tab(page).textContent(), /SubjectsunknownWith AU labels0/)
  const fineTune = training(page, 'Fine-tune on your images')
  t.match(
    await fineTune.area.textContent(),
    'Not available for this folder. plain has no AU labels, which fine-tuning needs.',
  )
  t.equal(await fineTune.button('Start').count(), 0)
  const pretrain = training(page, 'Pretrain on your images')
  t.match(await pretrain.area.textContent(), 'on 22 of the 24 images')
  await set(pretrain, { Batch: '32' })
  await pretrain.button('One step').click()
  t.match(
    await pretrain.area.getByRole('alert').textContent(),
    'plain: 22 images are fewer than one batch of 32; lower the batch size',
  )
  await set(pretrain, { Width: '32', 'Depth (blocks)': '1', Batch: '8' })
  await pretrain.button('One step').click()
  t.equal(await pretrain.reaches(1), 1)
  t.same(errors, [])
})

t.test('single files and shards are taken too', only, async (t) => {
  const { page, errors } = await chromium.open(url)
  await opened(page)
  const shard = fileURLToPath(new URL('../../data/faces/fold2-000.tar.gz', import.meta.url))
  await choose(page, shard, 'Choose files')
  const summary = tab(page).getByRole('region', { name: 'Contents of' })
  await summary.waitFor()
  t.match(await summary.textContent(), /Images672Subjects56With AU labels672Action units12/)
  t.same(errors, [])
})

t.test('a folder can be dropped', only, async (t) => {
  const { page, errors } = await chromium.open(url)
  await opened(page)
  const browser = await page.context().newCDPSession(page)
  const { x, y } = (await tab(page).boundingBox())!
  const data = { items: [], files: [faces], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await browser.send('Input.dispatchDragEvent', { type, x: x + 100, y: y + 100, data })
  const summary = tab(page).getByRole('region', { name: 'Contents of my faces' })
  await summary.waitFor()
  t.match(await summary.textContent(), /Images24Subjects6With AU labels24/)
  t.same(errors, [])
})

t.test('what is wrong with a folder is told in one sentence', only, async (t) => {
  const { page, errors } = await chromium.open(url)
  await opened(page)
  const line = (object: object) => `${JSON.stringify(object)}\n`
  const cases: readonly (readonly [string, (folder: string) => void, RegExp])[] = [
    [
      'no pictures',
      (folder) => {
        rmSync(folder, { recursive: true })
        write(join(folder, 'notes.txt'), 'no picture')
      },
      /^no pictures: no \.jpg, \.jpeg, \.png or \.webp file in this folder or its subfolders$/,
    ],
    [
      'bad line',
      (folder) => write(join(folder, 'labels.jsonl'), `${line({ img_path: 'a.jpg', AUs: [] })}{"img_path"`),
      /^bad line\/labels\.jsonl line 2: not valid JSON \(.*\)$/,
    ],
    [
      'bad unit',
      (folder) => write(join(folder, 'labels.jsonl'), line({ img_path: 'a.jpg', AUs: [12, 99] })),
      /^bad unit\/labels\.jsonl line 1: unknown AU 99; expected a FACS number, or 999 for inactive$/,
    ],
    [
      'missing',
      (folder) => write(join(folder, 'labels.jsonl'), line({ img_path: 'gone/1.jpg', AUs: [12] })),
      /^missing\/labels\.jsonl line 1: image missing\/gone\/1\.jpg: no such file$/,
    ],
    [
      'cut shard',
      (folder) => {
        rmSync(folder, { recursive: true })
        write(join(folder, 'faces.tar.gz'), Uint8Array.of(0x1f, 0x8b, 8, 0, 1, 2, 3))
      },
      /^cut shard\/faces\.tar\.gz: truncated or damaged gzip file \(.*\)$/,
    ],
  ]
  for (const [name, change, sentence] of cases) {
    await choose(page, variant(faces, name, change))
    const problem = tab(page).getByRole('alert').filter({ hasText: name })
    await problem.waitFor()
    t.match(await problem.textContent(), sentence, name)
  }
  t.same(errors, [])
})

t.test('a picture that cannot be read, and people who are not told, are named', only, async (t) => {
  const { page, errors } = await chromium.open(url)
  await opened(page)
  const labels = readFileSync(join(faces, 'labels.jsonl'), 'utf8').trim().split('\n')
  const broken = variant(faces, 'broken', (folder) => {
    // Beyond the thumbnails: it shows when training begins.
    write(join(folder, JSON.parse(labels[20]).img_path), 'no picture')
    write(join(folder, 'labels.jsonl'), labels.map((one) => one.replace(/,"subject":"\w+"/, '')).join('\n'))
  })
  await choose(page, broken)
  await tab(page).getByRole('region', { name: 'Contents of broken' }).waitFor()
  t.match(
    await training(page, 'Fine-tune on your images').area.textContent(),
    'The labels of broken name fewer than two subjects, so none can be held out.',
  )
  const pretrain = training(page, 'Pretrain on your images')
  await pretrain.button('Start').click()
  const problem = pretrain.area.getByRole('alert')
  await problem.waitFor()
  const { img_path } = JSON.parse(labels[20])
  t.match(
    await problem.textContent(),
    new RegExp(`^broken/${img_path}: cannot be decoded \\(.*\\); expected JPEG, PNG or WebP$`),
  )
  await pretrain.state('empty')
  t.same(errors, [])
})

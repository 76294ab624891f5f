import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { readSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { launchChromium } from './chromium.js'
import {
  frames,
  opened,
  overwrite,
  Panel,
  scratch,
  serveDemo,
  setHidden,
  storedRun,
  visit,
} from './demoPage.js'

// The Fine-tune tab in a real Chromium: two classifiers from the encoder of the Pretrain tab, with and
// without gradient reversal.

const chromium = await launchChromium()
const url = chromium.skip ? '' : await serveDemo({ fewFaces: true })

interface Scores {
  readonly auc: number
  readonly probe: number
}
interface StoredPair {
  readonly plan: { readonly lambda: number; readonly pretrainStep: number | null }
  readonly evaluations: { readonly step: number; readonly plain: Scores; readonly iat: Scores }[]
  readonly running: boolean
}

/** What the browser's storage holds of the pair beside its runs; null if nothing. */
function storedPair(page: Page): Promise<StoredPair | null> {
  return page.evaluate(async () => {
    try {
      const root = await navigator.storage.getDirectory()
      return JSON.parse(await (await (await root.getFileHandle('fineTune.json')).getFile()).text())
    } catch (error) {
      if ((error as DOMException).name === 'NotFoundError') return null
      throw error
    }
  })
}

/** Fractions of a second a step on SwiftShader. */
async function pretrainOneStep(page: Page): Promise<void> {
  const run = new Panel(page.getByRole('tabpanel', { name: 'Pretrain' }))
  for (const [label, value] of [
    ['Width', '32'],
    ['Depth (blocks)', '1'],
    ['Batch', '16'],
    ['Epochs', '2'],
  ] as const)
    await run.area.getByLabel(label).selectOption(value)
  await run.button('One step').click()
  await run.reaches(1)
  await run.state('paused')
}

/**
 * The Fine-tune tab of a page whose Pretrain tab has done a step, with its settings chosen. An epoch is 320
 * pictures: 20 steps in batches of 16.
 */
async function openPair(epochs: string) {
  const { page, errors } = await chromium.open(url)
  await opened(page)
  await pretrainOneStep(page)
  await page.getByRole('tab', { name: 'Fine-tune' }).click()
  const pair = new Panel(page.getByRole('tabpanel', { name: 'Fine-tune' }))
  const lambda = pair.area.getByLabel('Gradient reversal λ')
  const table = pair.area.getByRole('table', { name: 'Scores at step' })
  const start = pair.area.getByText('Both will start from the encoder of the Pretrain tab (step 1).')
  await start.waitFor()
  await lambda.fill('4')
  await pair.area.getByLabel('Learning rate').fill('-1')
  await pair.area.getByLabel('Batch').selectOption('16')
  await pair.area.getByLabel('Epochs').selectOption(epochs)
  return { page, errors, pair, lambda, table }
}

t.test('two classifiers are fine-tuned side by side', { skip: chromium.skip }, async (t) => {
  // By far more steps than this test takes.
  const { page, errors, pair, lambda, table } = await openPair('16')
  const step = visit(t)

  await step('they start as one, from the encoder of the Pretrain tab', async (t) => {
    await pair.button('One step').click()
    await pair.state('running')
    // A single step is not paused with the page: to go on from there would be to train.
    await setHidden(page, true, false)
    await pair.reaches(1)
    await pair.rests()
    const { plan, evaluations, running } = (await storedPair(page))!
    t.match(plan, { lambda: 4, pretrainStep: 1, encoder: { width: 32, depth: 1 } })
    t.equal(running, false)
    t.same(
      evaluations.map(({ step }) => step),
      [0, 1],
      'evaluated before and after the step',
    )
    t.same(evaluations[0].plain, evaluations[0].iat, 'nothing tells them apart at the start')
    t.equal(await pair.area.locator('.feature-map .mark').count(), 2 * 12 * 24, '24 pictures of 12 people')
    t.equal(await lambda.isDisabled(), true, 'what has begun keeps its settings')
    const subject = pair.area.getByRole('button', { name: 'Subject 7, held out' })
    await subject.click()
    t.equal(await pair.area.locator('.feature-map .mark:not(.faint)').count(), 2 * 24, 'one is picked out')
    await subject.click()
    t.equal(await pair.area.locator('.feature-map .faint').count(), 0)
  })

  await step('a reload keeps both, their scores and maps', async (t) => {
    const scores = await table.textContent()
    const places = await marks(page)
    await page.reload()
    await opened(page)
    await pair.state('paused')
    t.equal(await pair.step(), 1)
    t.equal(await table.textContent(), scores)
    t.same(await marks(page), places)
    t.equal(await lambda.inputValue(), '4')
    t.equal(await pair.area.getByLabel('Epochs').inputValue(), '16')
  })

  await step('they take turns, and go on by themselves after a reload, they alone', async (t) => {
    const pretrain = (await storedRun(page, 'pretrain'))!
    await overwrite(page, 'pretrain', 'history.json', JSON.stringify({ ...pretrain, running: true }))
    await pair.button('Resume').click()
    const before = await pair.reaches(6)
    await page.reload()
    await opened(page)
    await pair.state('running')
    await pair.reaches(before + 1)
    t.equal(await page.locator('#panel-pretrain .readings').getAttribute('data-state'), 'paused')
    t.equal((await storedRun(page, 'pretrain'))!.running, false, 'of two runs that were going on one goes on')
    await pair.pause()
    const paused = await pair.step()
    await frames(page)
    t.equal(await pair.step(), paused, 'a pause holds')
  })

  await step('a file of one of them, taken while they train, does not end that', async (t) => {
    await pair.button('Resume').click()
    await pair.state('running')
    await page.getByRole('tab', { name: 'Try it' }).click()
    const tryIt = page.getByRole('tabpanel', { name: 'Try it' })
    await tryIt.getByRole('combobox', { name: 'Model' }).selectOption({ label: 'Fine-tune, λ = 4' })
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      tryIt.getByRole('button', { name: 'Download this model' }).click(),
    ])
    const path = join(scratch, 'pair.safetensors')
    await download.saveAs(path)
    const { metadata } = await readSafetensors(path)
    await page.getByRole('tab', { name: 'Fine-tune' }).click()
    const step = Number(metadata.step)
    t.ok((await pair.reaches(step + 1)) > step, `taken after step ${step}`)
    await pair.pause()
  })

  await step('Reset throws both away', async (t) => {
    await pair.button('Reset').click()
    await pair.state('empty')
    t.equal(await storedPair(page), null)
    t.equal(await table.count(), 0)
    await page.reload()
    await opened(page)
    await pair.state('empty')
    t.equal(await lambda.isDisabled(), false)
  })

  await step('damaged storage is told, and both can be begun anew', async (t) => {
    await page.evaluate(async () => {
      const root = await navigator.storage.getDirectory()
      const file = await root.getFileHandle('fineTune.json', { create: true })
      const stream = await file.createWritable()
      await stream.write('no such format')
      await stream.close()
    })
    await page.reload()
    await opened(page)
    const note = page.getByRole('listitem').filter({ hasText: 'cannot be restored' })
    t.match(await note.textContent(), /saved fine-tuning run cannot be restored: fineTune\.json/)
    await pair.state('empty')
    t.equal(await pair.button('Start').isEnabled(), true)
  })
  t.same(errors, [])
})

t.test('λ changes what the features tell of the person', { skip: chromium.skip }, async (t) => {
  const { page, errors, pair, table } = await openPair('1')
  const total = 20
  await pair.button('One step').click()
  await pair.reaches(1)
  await pair.rests()
  const memory = await pair.reading('Device memory')
  await pair.pauseAt(total)
  await pair.button('Resume').click()
  await pair.reaches(total)
  await pair.rests()
  t.equal((await storedPair(page))!.evaluations.at(-1)!.step < total, true, 'paused in the last evaluation')
  await pair.button('Resume').click()
  await pair.state('finished')
  t.equal(await pair.step(), total)
  const { evaluations } = (await storedPair(page))!
  const { step, plain, iat } = evaluations.at(-1)!
  t.equal(step, total)
  t.not(plain.probe, iat.probe, `identity probe ${plain.probe} with λ = 0, ${iat.probe} with λ = 4`)
  for (const { probe, auc } of [plain, iat]) {
    t.ok(probe > 0 && probe < 1)
    t.ok(auc > 0.4 && auc < 1)
  }
  const row = table.getByRole('row', { name: 'identity probe' })
  t.same(
    (await row.getByRole('cell').allTextContents()).map((text) => text.trim()),
    [plain, iat].map(({ probe }) => `${(100 * probe).toFixed(1)}%`),
    'the table shows the last evaluation',
  )
  t.ok(
    Number.parseFloat(await pair.reading('Device memory')) < Number.parseFloat(memory) + 0.3,
    'turns and evaluations give their memory back',
  )
  t.same(errors, [])
})

/** Where the marks of the maps are. */
function marks(page: Page): Promise<(string | null)[]> {
  return page
    .locator('.feature-map .mark')
    .evaluateAll((all) => all.map((mark) => (mark as SVGElement).style.transform))
}

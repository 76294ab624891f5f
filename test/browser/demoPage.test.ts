import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import t from 'tap'
import { launchChromium } from './chromium.js'
import { opened, Panel, scratch, serveDemo, storedRun, visit } from './demoPage.js'

// What tabs know of one another, and what is done while the visitor is already elsewhere.

const chromium = await launchChromium()
const url = chromium.skip ? '' : await serveDemo()
const only = { skip: chromium.skip }
const SIDE = 64

/** Two pictures each of six people, every other one with an action unit. */
async function makeFolder(): Promise<string> {
  const folder = join(scratch, 'stripes')
  mkdirSync(folder)
  const raw = { width: SIDE, height: SIDE, channels: 3 } as const
  const lines: string[] = []
  for (let at = 0; at < 12; at++) {
    const stripes = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (i * (at + 7)) % 256)
    writeFileSync(join(folder, `${at}.png`), await sharp(stripes, { raw }).png().toBuffer())
    lines.push(JSON.stringify({ img_path: `${at}.png`, AUs: at % 2 ? [12] : [], subject: `S${at >> 1}` }))
  }
  writeFileSync(join(folder, 'labels.jsonl'), lines.join('\n'))
  return folder
}

async function goTo(page: Page, title: string) {
  await page.getByRole('tab', { name: title }).click()
  const tab = page.getByRole('tabpanel', { name: title })
  await tab.waitFor()
  return tab
}

t.test('tabs know of one another', only, async (t) => {
  const { page, errors } = await chromium.open(url)
  await opened(page)
  const pretrain = new Panel(await goTo(page, 'Pretrain'))
  const step = visit(t)

  await step('the Pretrain tab says how much is seen from its settings', async (t) => {
    t.match(await pretrain.area.textContent(), 'The network sees 25% of each image')
    await pretrain.area.getByLabel('Mask ratio').fill('0.5')
    await pretrain.area.getByText('The network sees 50% of each image').waitFor()
  })

  await step('two clicks before the page is drawn again are one command', async (t) => {
    for (const [label, value] of Object.entries({ Width: '32', 'Depth (blocks)': '1', Batch: '16' }))
      await pretrain.area.getByLabel(label).selectOption(value)
    await pretrain.button('One step').evaluate((element) => {
      const button = element as HTMLButtonElement
      button.click()
      button.click()
    })
    await pretrain.rests()
    t.equal((await storedRun(page, 'pretrain'))!.steps.length, 1)
  })

  await step('a file dropped where no tab takes it does not replace the page', async (t) => {
    const prevented = await page.evaluate(() =>
      (['dragover', 'drop'] as const).map((type) => {
        const event = new DragEvent(type, { bubbles: true, cancelable: true })
        document.querySelector('h1')!.dispatchEvent(event)
        return event.defaultPrevented
      }),
    )
    t.same(prevented, [true, true])
  })

  await step('an encoder alone is no classifier', async (t) => {
    const tryIt = await goTo(page, 'Try it')
    const notice = tryIt.getByText('There is no AU classifier yet.')
    await notice.waitFor()
    t.match(
      await tryIt.textContent(),
      'This model is only an encoder. It shows attention, but no action units.',
    )
  })

  await step('a folder opened later hears what the Pretrain tab had done before', async (t) => {
    const own = await goTo(page, 'Your own data')
    await own.getByLabel('Choose a folder').setInputFiles(await makeFolder())
    const fineTune = new Panel(own.getByRole('region', { name: 'Fine-tune on your images' }))
    await fineTune.area.getByText('It will start from the encoder of the Pretrain tab (step 1).').waitFor()
    await fineTune.area.getByRole('combobox', { name: 'Batch' }).selectOption('4')
    await fineTune.button('One step').click()
    await fineTune.rests()
    t.match((await storedRun(page, 'ownFineTune'))!.settings, { from: 'pretrain', pretrainStep: 1 })
  })

  await step('where there is a classifier, an encoder that is looked through points to it', async (t) => {
    const tryIt = await goTo(page, 'Try it')
    await tryIt.getByRole('combobox', { name: 'Model' }).selectOption('Pretrain, encoder only')
    await tryIt.getByText('Choose a classifier under Model to see action units.').waitFor()
    t.notOk(await tryIt.getByText('There is no AU classifier yet.').isVisible())
  })
  t.same(errors, [])
})

t.test('a camera that is allowed after the visitor has gone on is closed', only, async (t) => {
  const { page, errors } = await chromium.open(`${url}#tryIt`)
  await opened(page)
  // No headless browser asks: this camera is a canvas, and the answer comes by an event.
  const track = await page.evaluateHandle(() => {
    const canvas = document.createElement('canvas')
    const context = canvas.getContext('2d')!
    setInterval(() => context.fillRect(0, 0, 1, 1), 50)
    const stream = canvas.captureStream()
    navigator.mediaDevices.getUserMedia = () =>
      new Promise((resolve) => addEventListener('allow', () => resolve(stream), { once: true }))
    return stream.getVideoTracks()[0]
  })
  const tryIt = await goTo(page, 'Try it')
  await tryIt.getByRole('button', { name: 'Use the camera' }).click()
  await goTo(page, 'Pretrain')
  await page.evaluate(() => new Promise(requestAnimationFrame))
  t.equal(await track.evaluate(({ readyState }) => readyState), 'live')
  await page.evaluate(() => dispatchEvent(new Event('allow')))
  await page.waitForFunction(({ readyState }) => readyState === 'ended', track)
  await goTo(page, 'Try it')
  await tryIt.getByRole('button', { name: 'Use the camera' }).waitFor()
  t.same(errors, [])
})

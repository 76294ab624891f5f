import type { Page } from 'playwright-core'
import t from 'tap'
import { launchChromium } from './chromium.js'
import {
  frames,
  opened,
  overwrite,
  Panel,
  serveDemo,
  setHidden,
  storedRun,
  storedRunning,
  visit,
} from './demoPage.js'

// The page as a visitor has it, in a real Chromium: served from a sub-path, pretraining, reloads, and what
// can go wrong.

const chromium = await launchChromium()
const url = chromium.skip ? '' : await serveDemo()
const only = { skip: chromium.skip }

/**
 * Sizes at which a step takes some 60 ms on SwiftShader; by far more steps than a test takes, if there are 32
 * epochs.
 */
async function chooseSmall(page: Page, { width = '32', epochs = '32' } = {}): Promise<void> {
  const sizes = { Width: width, 'Depth (blocks)': '1', Batch: '16', Epochs: epochs }
  for (const [label, value] of Object.entries(sizes))
    await panelOf(page).area.getByLabel(label).selectOption(value)
  await panelOf(page).area.getByLabel('Learning rate').fill('-1.5')
}

function panelOf(page: Page): Panel {
  return new Panel(page.getByRole('tabpanel', { name: 'Pretrain' }))
}

async function steps(page: Page): Promise<number[]> {
  return (await storedRun(page, 'pretrain'))!.steps.map(({ step }) => step)
}

/** Pixels of the chart in the curve's color, that of light pages. */
function curvePixels(page: Page): Promise<number> {
  return page.locator('#panel-pretrain .u-wrap canvas').evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement
    const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height)
    let count = 0
    for (let at = 0; at < data.length; at += 4)
      if (data[at] < 40 && Math.abs(data[at + 1] - 0x72) < 20 && data[at + 2] > 150) count++
    return count
  })
}

const oneTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

t.test('a visitor pretrains: start by Enter, pause, step, reload, reset', only, async (t) => {
  const { page, errors } = await chromium.open(url)
  await opened(page)
  const run = panelOf(page)
  const step = visit(t)

  await step('a pause holds, One step does one step, Resume goes on', async (t) => {
    await chooseSmall(page)
    await run.button('Start').press('Enter')
    await run.reaches(5)
    await run.pause()
    t.equal(await run.area.locator('.face-row canvas').count(), 18, 'three pictures each of six people')
    const paused = await run.step()
    await frames(page)
    t.equal(await run.step(), paused)
    await run.button('One step').click()
    t.equal(await run.reaches(paused + 1), paused + 1)
    await run.state('paused')
    await run.button('Resume').click()
    await run.reaches(paused + 5)
    await run.pause()
    t.same(await steps(page), oneTo(await run.step()), 'each step once')
  })

  await step('a reload brings back step, loss, curve, settings and faces', async (t) => {
    const before = [await run.step(), await run.reading('Loss')]
    await page.reload()
    await opened(page)
    await run.state('paused')
    t.same([await run.step(), await run.reading('Loss')], before)
    t.equal(await run.area.getByLabel('Width').inputValue(), '32')
    t.equal(await run.area.getByLabel('Width').isDisabled(), true, 'a run keeps its settings')
    t.ok((await curvePixels(page)) > 50, 'the curve is drawn')
    await run.area.locator('.face-row canvas').first().waitFor()
  })

  await step('a run in progress goes on by itself after a reload', async (t) => {
    const before = await run.step()
    await run.button('Resume').click()
    await storedRunning(page, 'pretrain', before + 1)
    await page.reload()
    await opened(page)
    await run.state('running')
    // Before its first step: what storage holds is still that of the first page.
    await page.reload()
    await opened(page)
    await run.state('running')
    await run.reaches(before + 5)
    await run.pause()
    t.same(await steps(page), oneTo(await run.step()), 'each step once, none lost')
  })

  await step('training pauses while the page is hidden, and goes on', async (t) => {
    await run.button('Resume').click()
    await run.state('running')
    await setHidden(page, true)
    await run.state('paused')
    const paused = await run.step()
    await setHidden(page, false)
    const shown = await run.reaches(paused + 1)
    await setHidden(page, true, false, true)
    await run.state('paused')
    const rested = await run.step()
    await frames(page)
    await run.state('paused')
    t.equal(await run.step(), rested, 'hidden, shown and hidden again, faster than it rests')
    await setHidden(page, false)
    await run.reaches(shown + 1)
    await run.pause()
    await setHidden(page, true)
    await setHidden(page, false)
    await frames(page)
    await run.state('paused')
    t.pass('one that was paused by hand stays so')
  })

  await step('a hidden page that the browser ends goes on when it is loaded again', async (t) => {
    await run.button('Resume').click()
    await run.state('running')
    await setHidden(page, true)
    await run.state('paused')
    const before = await run.step()
    await storedRunning(page, 'pretrain', before)
    await page.reload()
    await opened(page)
    t.ok((await run.reaches(before + 1)) > before)
    await run.pause()
  })

  await step('training goes on while the page is hidden, if that is wanted', async (t) => {
    const choice = page.getByLabel('Pause training while this page is hidden')
    await choice.uncheck()
    await run.button('Resume').click()
    await run.state('running')
    const before = await run.step()
    await setHidden(page, true)
    t.ok((await run.reaches(before + 3)) >= before + 3)
    await setHidden(page, false)
    await run.pause()
    await choice.check()
  })

  await step('Reset empties it, gives the memory back, and other settings can be chosen', async (t) => {
    await run.button('Reset').click()
    await run.state('empty')
    t.equal(await storedRun(page, 'pretrain'), null)
    await run.button('One step').click()
    await run.reaches(1)
    const memory = await run.reading('Device memory')
    await run.button('Reset').click()
    await run.state('empty')
    await run.button('One step').click()
    await run.reaches(1)
    t.equal(await run.reading('Device memory'), memory, 'a second run takes what the first one took')
    t.match(memory, /^\d+\.\d MiB$/)
    await run.button('Reset').click()
    await run.state('empty')
    await chooseSmall(page, { width: '64' })
    await run.button('One step').click()
    await run.reaches(1)
    await run.rests()
    t.match((await storedRun(page, 'pretrain'))!.settings, { width: 64, depth: 1 })
    t.not(await run.reading('Device memory'), memory)
  })

  await step('a damaged checkpoint is told, and a new run can be begun', async (t) => {
    for (const file of ['checkpoint.safetensors', 'history.json']) {
      await overwrite(page, 'pretrain', file, 'no such format')
      await page.reload()
      await opened(page)
      const note = page.getByRole('listitem').filter({ hasText: 'cannot be restored' })
      await note.waitFor()
      t.match(await note.textContent(), new RegExp(`saved pretraining run cannot be restored: ${file}`), file)
      await run.state('empty')
    }
    await chooseSmall(page)
    await run.button('One step').click()
    await run.reaches(1)
    await run.rests()
    t.same(await steps(page), [1])
  })
  t.same(errors, [])
})

t.test('tabs are chosen by arrow keys, and none is wider than the window', only, async (t) => {
  const { page, errors } = await chromium.open(url, { viewport: { width: 360, height: 740 } })
  await opened(page)
  const tabs = page.getByRole('tab')
  await tabs.first().focus()
  const count = await tabs.count()
  for (let at = 0; at < count; at++) {
    const tab = tabs.nth(at)
    const title = (await tab.textContent())!.replace(/^\d+\s*/, '')
    t.equal(await tab.getAttribute('aria-selected'), 'true', title)
    t.ok(await tab.evaluate((element) => element === document.activeElement), 'has the focus')
    t.same(await page.locator('[role=tabpanel]:visible').count(), 1)
    t.ok(await page.getByRole('tabpanel', { name: title }).isVisible())
    t.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, 'no wider than a phone')
    await page.keyboard.press('ArrowRight')
    // After the last comes the first.
    await tabs
      .nth((at + 1) % count)
      .and(page.getByRole('tab', { selected: true }))
      .waitFor()
  }
  t.same(errors, [])
})

t.test('a lost device is told', only, async (t) => {
  const { page, errors } = await chromium.open(url)
  await opened(page)
  await chooseSmall(page)
  await panelOf(page).button('One step').click()
  await panelOf(page).reaches(1)
  await panelOf(page).rests()
  const worker = page.workers().find((one) => one.url().endsWith('/worker.js'))!
  await worker.evaluate(() => {
    const { createCommandEncoder } = GPUDevice.prototype
    GPUDevice.prototype.createCommandEncoder = function (this: GPUDevice, descriptor) {
      this.destroy()
      return createCommandEncoder.call(this, descriptor)
    }
  })
  await panelOf(page).button('One step').click()
  const note = page.getByRole('listitem').filter({ hasText: 'connection to the GPU was lost' })
  await note.waitFor()
  t.match(await note.textContent(), /Reload the page/)
  t.same(
    errors.filter((error) => error.startsWith('uncaught')),
    [],
  )
  await page.reload()
  await opened(page)
  await panelOf(page).state('paused')
  await panelOf(page).button('One step').click()
  t.equal(await panelOf(page).reaches(2), 2, 'after a reload it goes on from what was saved')
})

import { join } from 'node:path'
import t from 'tap'
import { until } from '../movement.js'
import { launchChromium, serveFolder } from './chromium.js'

// What the other tests in Chromium stand on: a browser with WebGPU.

const folder = t.testdir({
  site: {
    'index.html': '<!doctype html><title>front</title><script type="module" src="./main.js"></script>',
    'main.js': 'document.title = "ran"',
  },
})

const chromium = await launchChromium()

t.test('a served page computes by WebGPU', { skip: chromium.skip }, async (t) => {
  const { url, close } = await serveFolder(join(folder, 'site'))
  t.teardown(close)
  const { page, errors } = await chromium.open(url)
  t.equal(await page.title(), 'ran')
  t.match(chromium.version, /^\d+\./)
  const info = await page.evaluate(async () => {
    const adapter = await navigator.gpu.requestAdapter()
    const device = await adapter!.requestDevice()
    device.destroy()
    return `${adapter!.info.vendor} ${adapter!.info.architecture}`
  })
  t.equal(info, chromium.adapter)
  t.same(errors, [])
})

t.test('what goes wrong in a page is told', { skip: chromium.skip }, async (t) => {
  const { url, close } = await serveFolder(join(folder, 'site'))
  t.teardown(close)
  const { page, errors } = await chromium.open(url)
  await page.evaluate(() => console.error('said so'))
  await page.evaluate(() => fetch('./none.json'))
  await page.evaluate(() => setTimeout(() => (null as unknown as Document).title))
  await until(
    'three errors',
    () => [...errors],
    ({ length }) => length === 3,
  )
  t.match(errors, [/said so/, /404/, /^uncaught: TypeError/])
})

t.test('a page that crashes is told of', { skip: chromium.skip }, async (t) => {
  const { page, errors } = await chromium.open('about:blank')
  const work = page.evaluate(() => new Promise(() => {}))
  page.goto('chrome://crash').catch(() => {})
  await t.rejects(work, { message: /crashed/ })
  t.same(errors, ['the page crashed'])
})

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { bundleForBrowsers } from '../../scripts/build.mjs'
import { root } from '../../scripts/process.mjs'
import { launchChromium } from './chromium.js'
import { openTestPage } from './page.js'

// What a visitor reads in a browser that cannot compute, or can no longer.

const chromium = await launchChromium()
const { skip } = chromium

t.test('a page that is not secure', { skip }, async (t) => {
  const script = 'dist/browserTests/errors.js'
  await bundleForBrowsers({ entryPoints: ['test/browser/page/errors.ts'], outfile: script })
  const context = await chromium.newContext()
  const files: Record<string, [string, string]> = {
    '/': ['text/html', '<!doctype html>'],
    '/errors.js': ['text/javascript', await readFile(join(root, script), 'utf8')],
  }
  await context.route('http://example.test/**', (route) => {
    const [contentType, body] = files[new URL(route.request().url()).pathname]
    return route.fulfill({ contentType, body })
  })
  const page = await context.newPage()
  await page.goto('http://example.test/')
  await page.evaluate((script) => import(script), '/errors.js')
  const message = await page.evaluate(() => errorsPage.open())
  t.match(
    message,
    /^NoAdapterError: no WebGPU adapter: this page was not loaded over https or from localhost\./,
  )
  t.match(message, /https address/)
})

t.test('a tensor that no kernel can bind', { skip }, async (t) => {
  const { page, errors } = await openTestPage(chromium, 'errors')
  t.equal(await page.evaluate(() => errorsPage.open()), null)
  const message = await page.evaluate(() => errorsPage.tooLarge())
  t.match(
    message,
    /^LimitError: a tensor of \d+ MiB exceeds this adapter's binding limit of \d+ MiB; use a smaller batch$/,
  )
  t.same(errors, [])
})

t.test('a browser without an adapter', { skip }, async (t) => {
  const plain = await launchChromium({ webgpu: false })
  if (plain.adapter) return t.pass('this machine has a GPU that needs no switches', { skip: true })
  const { page } = await openTestPage(plain, 'errors')
  const message = await page.evaluate(() => errorsPage.open())
  t.match(message, /^NoAdapterError: no WebGPU adapter: this browser has WebGPU, but offers no adapter\./)
  t.match(message, /graphics acceleration.*--enable-unsafe-webgpu/)
})

t.test('a browser without WebGPU', { skip }, async (t) => {
  const { page } = await openTestPage(chromium, 'errors')
  await page.evaluate(() => delete (Navigator.prototype as { gpu?: unknown }).gpu)
  const message = await page.evaluate(() => errorsPage.open())
  t.match(
    message,
    /^NoAdapterError: no WebGPU adapter: this browser has no WebGPU\. WebGPU requires at least Chrome or Edge 113/,
  )
})

t.test('the GPU process dies', { skip }, async (t) => {
  const { page } = await openTestPage(chromium, 'errors')
  t.equal(await page.evaluate(() => errorsPage.open()), null)
  t.equal(await page.evaluate(() => errorsPage.compute()), null)
  const work = page.evaluate(() => errorsPage.computeOn())
  const session = await chromium.browser.newBrowserCDPSession()
  await page.waitForFunction(() => errorsPage.rounds > 2)
  await session.send('Browser.crashGpuProcess')
  const lost = /^DeviceError: the device was lost \(.*\): /
  t.match(await work, lost, 'to whom was waiting')
  t.match(await page.evaluate(() => errorsPage.compute()), lost, 'and to whom comes later')
  t.equal(await page.evaluate(() => errorsPage.open()), null, 'a new device can be had')
  t.equal(await page.evaluate(() => errorsPage.compute()), null)
})

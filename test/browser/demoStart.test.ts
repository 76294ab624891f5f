import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchChromium } from './chromium.js'
import { opened, scratch, serveDemo } from './demoPage.js'

// The page is never white: it starts, or says why not and what to do.

const chromium = await launchChromium({ args: ['--host-resolver-rules=MAP plain.test 127.0.0.1'] })
const url = chromium.skip ? '' : await serveDemo()
const only = { skip: chromium.skip }

/** Changes what a page is before it is opened. */
type Change = (page: Page) => Promise<unknown>

async function openChanged(change: Change): Promise<Page> {
  const page = await (await chromium.newContext()).newPage()
  await change(page)
  await page.goto(url)
  return page
}

/** The page's file begins with another line. */
function prepend(file: string, line: string): Change {
  return (page) =>
    page.route(`**/${file}`, async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, body: `${line}\n${await response.text()}` })
    })
}

function without(file: string): Change {
  return (page) => page.route(`**/${file}`, (route) => route.fulfill({ status: 404 }))
}

const failures: Readonly<Record<string, readonly [Change, RegExp]>> = {
  'the program is missing': [
    without('app.js'),
    /^This page cannot start.*app\.js cannot be loaded\. Reload the page/,
  ],
  'the program throws while it loads': [
    prepend('app.js', 'throw new Error("no luck")'),
    /^This page cannot start.*Error: no luck\. Reload the page/,
  ],
  'the page throws while it is drawn': [
    (page) =>
      page.addInitScript(() => {
        HTMLCanvasElement.prototype.getContext = () => {
          throw new Error('no canvas')
        }
      }),
    /^This page does not work.*No canvas\. Reload the page/,
  ],
  'the worker is missing': [
    without('worker.js'),
    /^This page does not work.*worker\.js cannot be loaded\. Reload the page/,
  ],
  'the worker throws while it loads': [
    prepend('worker.js', 'throw new Error("no luck")'),
    /^This page does not work.*Error: no luck\. Reload the page/,
  ],
  'WebGPU has no adapter, as in Chromium with drivers that it does not trust': [
    prepend('worker.js', 'GPU.prototype.requestAdapter = async () => null'),
    /^This browser cannot train here.*has WebGPU, but offers no adapter\. Turn on graphics/,
  ],
  'the adapter gives no device': [
    prepend('worker.js', 'GPUAdapter.prototype.requestDevice = async () => { throw new Error("no luck") }'),
    /^This page does not work.*No luck\. Reload the page/,
  ],
}

for (const [name, [change, text]] of Object.entries(failures))
  t.test(`${name}: the page says so, and what to do`, only, async (t) => {
    await says(t, await openChanged(change), text)
  })

async function says(t: Test, page: Page, text: RegExp): Promise<void> {
  const notice = page.getByRole('alert')
  await notice.waitFor()
  t.match(await notice.textContent(), text)
  t.equal(await page.getByRole('tab').count(), 0)
}

t.test('an insecure address has no WebGPU: the page says so, and nothing else fails', only, async (t) => {
  const { page, errors } = await chromium.open(url.replace('localhost', 'plain.test'))
  await says(t, page, /^This browser cannot train here.*not loaded over https or from localhost/)
  t.same(errors, [])
})

t.test('opened as a file, the page asks for a web server', only, async (t) => {
  const { page } = await chromium.open(pathToFileURL(join(scratch, 'demo', 'index.html')).href)
  await says(t, page, /^This page cannot start.*app\.js cannot be loaded.*open it from a web server/)
})

t.test('one tab trains: a second one says so', only, async (t) => {
  const { page, errors } = await chromium.open(url)
  await opened(page)
  const second = await page.context().newPage()
  await second.goto(url)
  await says(t, second, /^This page is open in another tab.*Use that tab, or close it and reload this one\.$/)
  await page.close()
  await second.reload()
  await opened(second)
  t.pass('once the first one is closed it can be used')
  t.same(errors, [])
})

const starts: Readonly<Record<string, Change>> = {
  'with a language that Intl refuses, as Chromium reports under LANG=C.UTF-8': (page) =>
    page.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, 'language', { get: () => 'en-US@posix' })
      Object.defineProperty(Navigator.prototype, 'languages', { get: () => ['en-US@posix'] })
    }),
  'with site data blocked': (page) =>
    page.addInitScript(() => {
      const get = () => {
        throw new DOMException('denied', 'SecurityError')
      }
      Object.defineProperty(window, 'localStorage', { get })
    }),
}

for (const [name, change] of Object.entries(starts))
  t.test(`the page starts ${name}`, only, async (t) => {
    const page = await openChanged(change)
    await opened(page)
    t.equal(await page.getByRole('alert').count(), 0)
    await page.getByLabel('Colors').selectOption('dark')
    await page.waitForFunction(() => document.documentElement.style.colorScheme === 'dark')
  })

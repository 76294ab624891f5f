import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import t from 'tap'
import * as scripts from '../../scripts/chromium.mjs'
import { moved, standstill } from '../movement.js'

export { serveFolder } from '../../scripts/serveFolder.mjs'

/** A page, and what went wrong in it so far: exceptions, console errors (failed requests among them), a crash. */
export interface OpenPage {
  readonly page: Page
  readonly errors: readonly string[]
}

/** The Chromium of a test file, or the reason why there is none. */
export interface Chromium {
  /** For tests' `skip`: the reason, or false. */
  readonly skip: string | false
  /** "156.0.8078.79" */
  readonly version: string
  /** Vendor and architecture of the WebGPU adapter, as pages get it; null if there is none. */
  readonly adapter: string | null
  /** @throws Error where there is no Chromium. */
  readonly browser: Browser
  /** A fresh profile, with storage of its own. The one before is closed, so that its pages do no work beside these. */
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>
  /** Opens a page in a fresh profile and waits for its load event. */
  open(url: string, options?: BrowserContextOptions): Promise<OpenPage>
}

/**
 * Starts one Chromium for the test file and closes it after the last test. `args`: further switches. `webgpu: false`: without the
 * switches that software adapters need.
 * Usage: `const chromium = await launchChromium(); t.test('…', { skip: chromium.skip }, async (t) => …)`.
 */
export async function launchChromium(options: { args?: string[]; webgpu?: boolean } = {}): Promise<Chromium> {
  try {
    const { browser, version, adapter } = await scripts.launchChromium(options)
    t.teardown(() => browser.close())
    const newContext = contextsOf(browser)
    const open = async (url: string, context?: BrowserContextOptions) =>
      opened(await newContext(context), url)
    return { skip: false, version, adapter, browser, newContext, open }
  } catch (error) {
    if (!(error instanceof scripts.NoChromiumError)) throw error
    return without('no Chromium with WebGPU starts here; npm run doctor says why, and how to get one')
  }
}

function without(reason: string): Chromium {
  const refuse = (): never => {
    throw new Error(reason)
  }
  return {
    skip: reason,
    version: '',
    adapter: null,
    get browser() {
      return refuse()
    },
    newContext: async () => refuse(),
    open: async () => refuse(),
  }
}

/** Makes profiles in which nothing waits by the clock, one after the other. */
function contextsOf(browser: Browser) {
  let before: BrowserContext | null = null
  return async (options: BrowserContextOptions = {}): Promise<BrowserContext> => {
    await before?.close()
    const context = await browser.newContext(options)
    context.setDefaultTimeout(0)
    context.on('page', closeAtStandstill)
    before = context
    return context
  }
}

/** Closes a page in which nothing has moved for minutes: what waits for it fails, and says what was last seen. */
function closeAtStandstill(page: Page): void {
  let shown = ''
  const look = async () => {
    const text = await page.evaluate(() => document.body.innerText.replaceAll(/\s+/g, ' '))
    if (text !== shown) moved()
    shown = text
  }
  let looking = false
  const timer = setInterval(async () => {
    const reason = standstill()
    if (reason) {
      clearInterval(timer)
      await page.close({ reason: `${reason}; last seen: ${shown}` })
    } else if (!looking) {
      looking = true
      // A page that is loaded anew, or has crashed, has no text.
      await look().catch(() => {})
      looking = false
    }
  }, 1000)
  page.on('close', () => clearInterval(timer))
  page.on('console', moved)
  page.on('requestfinished', moved)
}

async function opened(context: BrowserContext, url: string): Promise<OpenPage> {
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(`uncaught: ${error.stack ?? error.message}`))
  page.on('crash', () => errors.push('the page crashed'))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`console: ${message.text()} (${message.location().url})`)
  })
  await page.goto(url)
  return { page, errors }
}

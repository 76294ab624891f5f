import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import * as scripts from '../../scripts/chromium.mjs'

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
  /** Opens a page in a fresh profile (storage of its own) and waits for its load event. */
  open(url: string, options?: Parameters<Browser['newContext']>[0]): Promise<OpenPage>
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
    return { skip: false, version, adapter, browser, open: (url, context) => open(browser, url, context) }
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
    open: async () => refuse(),
  }
}

async function open(
  browser: Browser,
  url: string,
  options?: Parameters<Browser['newContext']>[0],
): Promise<OpenPage> {
  // A headless shell may run in the locale "POSIX", which is no language to charts.
  const context = await browser.newContext({ locale: 'en-US', ...options })
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

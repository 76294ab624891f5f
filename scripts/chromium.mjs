import { existsSync, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { packagedChromium } from './packagedChromium.mjs'

// Finds and starts a Chromium with WebGPU, for tests and for the doctor.

/** Time for a browser to start and open an empty page; long, because the machine may be busy. */
const START_MS = 5 * 60_000

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome']

/** No Chromium on this machine starts and offers a WebGPU adapter. The message says what was tried and what to do. */
export class NoChromiumError extends Error {
  constructor(tried) {
    super(`no Chromium with WebGPU: ${tried.join('; ')}`)
    this.name = 'NoChromiumError'
    this.tried = tried
  }
}

/** How to get one, in one sentence. */
export const GET_CHROMIUM =
  'Install Chromium or Chrome (Debian: apt-get install chromium), or set FMAE_CHROMIUM to the path of one.'

/**
 * Starts the first Chromium with a WebGPU adapter: that of FMAE_CHROMIUM (a path, or "packaged"), else an installed one,
 * else the headless one of an npm package. Playwright ends it when this process ends, also at Ctrl-C.
 * `args`: additional switches. `webgpu: false` omits those that software adapters need, like a visitor's browser.
 * Returns { browser (playwright's), version, place, adapter (its name, or null) }.
 * @param {{ args?: string[], webgpu?: boolean }} [options]
 */
export async function launchChromium({ args = [], webgpu = true } = {}) {
  const tried = []
  for (const { place, prepare } of candidates()) {
    try {
      const { flags = [], ...options } = await prepare()
      const switches = webgpu ? ['--enable-unsafe-webgpu', ...flags, ...args] : args
      const browser = await launch({ ...options, args: switches })
      const adapter = await adapterOf(browser).catch(() => null)
      if (adapter || !webgpu) return { browser, version: browser.version(), place, adapter }
      await browser.close()
      tried.push(`${place} (${browser.version()}) provides no WebGPU adapter`)
    } catch (error) {
      tried.push(`${place}: ${reasonOf(error)}`)
    }
  }
  throw new NoChromiumError(tried)
}

/** Places to search, in order; `prepare` returns playwright's options. */
function candidates() {
  const packaged = { place: 'npm package @sparticuz/chromium', prepare: packagedOptions }
  const wanted = process.env.FMAE_CHROMIUM
  if (wanted === 'packaged') return [packaged]
  if (wanted) return [{ place: wanted, prepare: () => ({ executablePath: wanted }) }]
  const installed = installedPaths().map((path) => ({
    place: path,
    prepare: () => ({ executablePath: path }),
  }))
  // playwright knows where Chrome's installers put it on Windows and macOS.
  const chrome = { place: 'Google Chrome', prepare: () => ({ channel: 'chrome' }) }
  return [...installed, ...(process.platform === 'linux' ? [] : [chrome]), packaged]
}

function installedPaths() {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const paths = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
  // Several folders of the path, or several names, may lead to one browser. The name matters: a snap starts by the name of
  // its link.
  const browsers = new Map()
  for (const path of paths.filter((path) => existsSync(path))) {
    const file = realpathSync(path)
    if (!browsers.has(file)) browsers.set(file, path)
  }
  return [...browsers.values()]
}

async function packagedOptions() {
  const { executablePath, env } = await packagedChromium()
  // A headless shell does not use a software adapter by default.
  return { executablePath, env: { ...process.env, ...env }, flags: ['--use-webgpu-adapter=swiftshader'] }
}

async function launch(options) {
  const { chromium } = await import('playwright-core')
  return chromium.launch({ ...options, headless: true, chromiumSandbox: false, timeout: START_MS })
}

/** Vendor and architecture of the adapter that pages get, or null. The page must be a secure context: localhost is. */
async function adapterOf(browser) {
  const page = await browser.newPage()
  try {
    await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }))
    await page.goto('http://localhost/', { timeout: START_MS })
    return await page.evaluate(async () => {
      const adapter = await navigator.gpu?.requestAdapter()
      return adapter ? `${adapter.info.vendor} ${adapter.info.architecture}` : null
    })
  } finally {
    await page.close()
  }
}

/** playwright's message contains the whole log of the browser, including the name of a missing library. */
function reasonOf({ message }) {
  return /error while loading shared libraries: .*/.exec(message)?.[0] ?? message.trim().split('\n')[0]
}

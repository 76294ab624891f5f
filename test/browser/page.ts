import type { Page } from 'playwright-core'
import t from 'tap'
import { bundleForBrowsers } from '../../scripts/build.mjs'
import { root } from '../../scripts/process.mjs'
import { type Chromium, type OpenPage, serveFolder } from './chromium.js'

/**
 * Bundles `test/browser/page/NAME.ts` and runs it in an empty page of a server of the repository's files: the script fetches
 * what it needs by paths such as /test/golden/classifier.safetensors. What it leaves on `globalThis` is there on return.
 * @throws what the script throws
 */
export async function openTestPage(chromium: Chromium, name: string): Promise<OpenPage> {
  await bundleForBrowsers({
    entryPoints: [`test/browser/page/${name}.ts`],
    outfile: `dist/browserTests/${name}.js`,
  })
  const { url, close } = await serveFolder(root)
  t.teardown(close)
  const opened = await chromium.open(`${url}test/browser/page/index.html`)
  await showSubmits(opened.page)
  await opened.page.evaluate((script) => import(script), `/dist/browserTests/${name}.js`)
  return opened
}

/** The page shows how often its device was given work: a script that computes for minutes is seen to move. */
function showSubmits(page: Page): Promise<void> {
  return page.evaluate(() => {
    const { submit } = GPUQueue.prototype
    let submits = 0
    GPUQueue.prototype.submit = function (this: GPUQueue, buffers) {
      document.body.textContent = String(++submits)
      return submit.call(this, buffers)
    }
  })
}

import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { buildDemo } from '../../scripts/buildDemo.mjs'
import { until } from '../movement.js'
import { serveFolder } from './chromium.js'
import { writeFewFaces } from './fewFaces.js'

/** A folder that is there until the test file ends. */
export const scratch = t.testdir()

/** The demo, built and served from a sub-path until the test file ends. Returns its address. */
export async function serveDemo(options: { readonly fewFaces?: boolean } = {}): Promise<string> {
  const folder = await buildDemo(join(scratch, 'demo'))
  if (options.fewFaces) await writeFewFaces(join(folder, 'faces'))
  const { url, close } = await serveFolder(folder, { basePath: '/some/where/' })
  t.teardown(close)
  return url
}

/** The page is open when its tabs are there. */
export async function opened(page: Page): Promise<Page> {
  await page.getByRole('tab').first().waitFor()
  return page
}

/** Lets the page draw for a while: what should stay as it is has had its time to change. */
export function frames(page: Page, count = 30): Promise<void> {
  return page.evaluate(async (left) => {
    for (; left > 0; left--) await new Promise(requestAnimationFrame)
  }, count)
}

/**
 * Steps of one visit, each of which goes on where the one before left the page: once one has failed, the
 * others are skipped.
 */
export function visit(t: Test) {
  let failed = ''
  return async (name: string, step: (t: Test) => Promise<void>): Promise<void> => {
    const results = await t.test(name, { skip: failed && `after the failure of: ${failed}` }, step)
    if (!results?.ok) failed ||= name
  }
}

/**
 * Chromium without a window knows no hidden tabs: the page is told that it is one, several times in a row if
 * need be.
 */
export async function setHidden(page: Page, ...states: readonly boolean[]): Promise<void> {
  await page.evaluate((values) => {
    for (const value of values) {
      Object.defineProperty(document, 'hidden', { value, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))
    }
  }, states)
}

/** One training of the page as its panel shows it. */
export class Panel {
  constructor(readonly area: Locator) {}

  button(name: string): Locator {
    return this.area.getByRole('button', { name, exact: true })
  }

  /** Waits until the run is in that state. */
  async state(state: 'empty' | 'running' | 'paused' | 'finished'): Promise<void> {
    await this.area.locator(`.readings[data-state=${state}]`).waitFor()
  }

  /** Presses "Pause" in the page itself, as soon as that step is shown. Resolves when the page is told to. */
  pauseAt(step: number): Promise<void> {
    return this.area.evaluate((area, step) => {
      const shown = () => {
        const figures = [...area.querySelectorAll('.readings .figure')]
        const figure = figures.find((one) => one.querySelector('dt')!.textContent === 'Step')!
        return Number.parseInt(figure.querySelector('dd')!.textContent, 10)
      }
      const observer = new MutationObserver(() => {
        if (shown() < step) return
        observer.disconnect()
        const buttons = [...area.querySelectorAll('button')]
        buttons.find(({ textContent }) => textContent === 'Pause')!.click()
      })
      observer.observe(area, { subtree: true, childList: true, characterData: true })
    }, step)
  }

  /** Waits until it has stopped and all of it is saved: the buttons can be pressed again. */
  async rests(): Promise<void> {
    await this.state('paused')
    await this.area.locator('button:enabled').getByText('Resume').waitFor()
  }

  async pause(): Promise<void> {
    await this.button('Pause').click()
    await this.rests()
  }

  async reading(label: string): Promise<string> {
    const figure = this.area
      .locator('.readings .figure')
      .filter({ has: this.area.page().getByText(label, { exact: true }) })
    return (await figure.locator('dd').textContent())!.trim()
  }

  async step(): Promise<number> {
    return Number.parseInt(await this.reading('Step'), 10)
  }

  /** Waits until so many steps are done. */
  reaches(step: number): Promise<number> {
    return until(
      `step ${step}`,
      () => this.step(),
      (done) => done >= step,
    )
  }
}

interface StoredRun {
  readonly settings: Record<string, unknown>
  readonly steps: { readonly step: number; readonly losses: { readonly loss: number } }[]
  readonly running: boolean
}

/**
 * What the browser's storage holds of a run; null if nothing yet. A new file stands empty until its first content
 * is written.
 */
export function storedRun(page: Page, run: string): Promise<StoredRun | null> {
  return page.evaluate(async (name) => {
    for (;;)
      try {
        const root = await navigator.storage.getDirectory()
        const folder = await (await root.getDirectoryHandle('runs')).getDirectoryHandle(name)
        const file = await (await folder.getFileHandle('history.json')).getFile()
        return file.size === 0 ? null : JSON.parse(await file.text())
      } catch (error) {
        const reason = (error as DOMException).name
        if (reason === 'NotFoundError') return null
        // The page replaced the file after this one was opened.
        if (reason !== 'NotReadableError') throw error
      }
  }, run)
}

/** Waits until storage holds a run that goes on by itself after a reload, so far at least. */
export async function storedRunning(page: Page, run: string, step: number): Promise<void> {
  const look = async () => {
    const stored = await storedRun(page, run)
    return { running: stored?.running, steps: stored?.steps.length ?? 0 }
  }
  await until(`${run} saved at step ${step}`, look, ({ running, steps }) => running === true && steps >= step)
}

/** Replaces a file of a stored run. */
export function overwrite(page: Page, run: string, file: string, text: string): Promise<void> {
  return page.evaluate(
    async ([name, fileName, content]) => {
      const root = await navigator.storage.getDirectory()
      const folder = await (await root.getDirectoryHandle('runs')).getDirectoryHandle(name)
      const stream = await (await folder.getFileHandle(fileName)).createWritable()
      await stream.write(content)
      await stream.close()
    },
    [run, file, text] as const,
  )
}

import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { buildDemo } from '../../scripts/buildDemo.mjs'
import { serveFolder } from './chromium.js'

/** A folder that is there until the test file ends. */
export const scratch = t.testdir()

/** The demo, built and served from a sub-path until the test file ends. Returns its address. */
export async function serveDemo(): Promise<string> {
  const { url, close } = await serveFolder(await buildDemo(join(scratch, 'demo')), {
    basePath: '/some/where/',
  })
  t.teardown(close)
  return url
}

/** The page is open when its acts are there. */
export async function opened(page: Page): Promise<Page> {
  page.setDefaultTimeout(30_000)
  await page.getByRole('tab').first().waitFor()
  return page
}

/** Chromium without a window knows no hidden tabs: the page is told that it is one, several times in a row if need be. */
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

  /** Waits until it has stopped and all of it is saved: the buttons can be pressed again. */
  async rests(): Promise<void> {
    await this.state('paused')
    await this.area.locator('button:enabled').getByText('Go on').waitFor()
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

  /** Waits until so many steps are done; says where it got to if it does not. */
  async reaches(step: number, seconds = 20): Promise<number> {
    const end = Date.now() + 1000 * seconds
    for (;;) {
      const done = await this.step()
      if (done >= step) return done
      if (Date.now() > end) throw new Error(`step ${step} not reached in ${seconds} s, but ${done}`)
      await this.area.page().waitForTimeout(50)
    }
  }
}

interface StoredRun {
  readonly settings: Record<string, unknown>
  readonly steps: { readonly step: number; readonly losses: { readonly loss: number } }[]
  readonly running: boolean
}

/** What the browser's storage holds of a run; null if nothing. */
export function storedRun(page: Page, job: string): Promise<StoredRun | null> {
  return page.evaluate(async (name) => {
    try {
      const root = await navigator.storage.getDirectory()
      const folder = await (await root.getDirectoryHandle('runs')).getDirectoryHandle(name)
      const file = await (await folder.getFileHandle('history.json')).getFile()
      return JSON.parse(await file.text())
    } catch (error) {
      if ((error as DOMException).name === 'NotFoundError') return null
      throw error
    }
  }, job)
}

/** Waits until storage holds a run that goes on by itself after a reload, so far at least. */
export async function storedRunning(page: Page, job: string, step: number): Promise<void> {
  const end = Date.now() + 20_000
  for (;;) {
    const stored = await storedRun(page, job)
    if (stored?.running && stored.steps.length >= step) return
    if (Date.now() > end) throw new Error(`no run at step ${step} was saved: ${stored?.steps.length} steps`)
    await page.waitForTimeout(100)
  }
}

/** Replaces a file of a stored run. */
export function overwrite(page: Page, job: string, file: string, text: string): Promise<void> {
  return page.evaluate(
    async ([name, fileName, content]) => {
      const root = await navigator.storage.getDirectory()
      const folder = await (await root.getDirectoryHandle('runs')).getDirectoryHandle(name)
      const stream = await (await folder.getFileHandle(fileName)).createWritable()
      await stream.write(content)
      await stream.close()
    },
    [job, file, text] as const,
  )
}

import type { Locator, Page } from 'playwright-core'
import type { Chromium } from './chromium.js'
import { opened } from './demoPage.js'

/** The Try it tab as a visitor has it. */
export interface TryItTab {
  readonly page: Page
  readonly area: Locator
  readonly errors: readonly string[]
  /** Where the page's requests went that did not go to its own folder. */
  readonly elsewhere: readonly string[]
}

export async function openTryIt(
  chromium: Chromium,
  url: string,
  options?: Parameters<Chromium['open']>[1],
): Promise<TryItTab> {
  const { page, errors } = await chromium.open(`${url}#tryIt`, options)
  const elsewhere: string[] = []
  page.context().on('request', (request) => {
    const own = request.url().startsWith(url) && request.method() === 'GET'
    if (!own && !request.url().startsWith('blob:')) elsewhere.push(`${request.method()} ${request.url()}`)
  })
  await opened(page)
  return { page, area: page.getByRole('tabpanel', { name: 'Try it' }), errors, elsewhere }
}

export async function openModel({ area }: TryItTab, path: string): Promise<void> {
  await area.getByLabel('Open a model file').setInputFiles(path)
}

export async function choosePhoto({ area }: TryItTab, name: string, bytes: Uint8Array): Promise<void> {
  await area.getByLabel('Choose a photo').setInputFiles({ name, mimeType: '', buffer: Buffer.from(bytes) })
}

/** AU number → probability, once they are there: all come at once. */
export async function unitsOf({ area }: TryItTab): Promise<Map<number, number>> {
  await area.locator('.au-bars li:not([data-probability=""])').first().waitFor()
  const rows = await area
    .locator('.au-bars li')
    .evaluateAll((items) =>
      items.map(
        (item) =>
          [
            Number((item as HTMLElement).dataset.au),
            Number((item as HTMLElement).dataset.probability),
          ] as const,
      ),
    )
  return new Map(rows)
}

/** The cut-out face as the page shows it: RGB bytes. */
export async function cropOf({ area }: TryItTab): Promise<Uint8Array> {
  const rgba = await area
    .locator('.attention canvas')
    .first()
    .evaluate((element) => {
      const canvas = element as HTMLCanvasElement
      return [...canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height).data]
    })
  return Uint8Array.from(rgba.filter((_, i) => i % 4 !== 3))
}

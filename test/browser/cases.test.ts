import t from 'tap'
import type { Point } from '../engine/casePoints.js'
import { launchChromium } from './chromium.js'
import { openTestPage } from './page.js'

// Ops, model fixtures and golden files of Node's tests in a real Chromium: same cases, same tolerances.

const chromium = await launchChromium()
if (chromium.skip) {
  t.test('ops, fixtures and golden files', { skip: chromium.skip }, async () => {})
} else {
  const { page, errors } = await openTestPage(chromium, 'cases')
  const { browser, ops, variants } = await page.evaluate(() => casesPage.about)
  t.comment(`browser: ${browser}`)
  const each = variants.map((name, variant) => ({ name, variant }))

  for (const op of ops) {
    t.test(op, async (t) => {
      for (const { variant } of each)
        assertAll(
          t,
          await page.evaluate(([op, variant]) => casesPage.op(op, variant), [op, variant] as const),
        )
    })
  }

  t.test('sizes, positions and schedule', async (t) => {
    assertAll(t, await page.evaluate(() => casesPage.hostFixtures()))
  })
  for (const { name, variant } of each) {
    t.test(`models on ${name}`, async (t) => {
      assertAll(t, await page.evaluate((variant) => casesPage.fixtures(variant), variant))
    })
  }
  for (const file of ['fmae', 'classifier']) {
    t.test(`golden file ${file}: outputs, gradients and three steps as PyTorch's`, async (t) => {
      assertAll(t, await page.evaluate((url) => casesPage.golden(url), `/test/golden/${file}.safetensors`))
    })
  }
  t.test('the page said nothing of errors', async (t) => t.same(errors, []))
}

function assertAll(test: Pick<typeof t, 'ok' | 'fail'>, points: readonly Point[]): void {
  if (points.length === 0) test.fail('nothing was compared')
  for (const { ok, name } of points) test.ok(ok, name)
}

import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import type { Check } from '../../src/verify/check.js'
import { deviceFixtures, vitSmallFixture } from '../../src/verify/fixtures.js'
import { hostFixtures } from '../../src/verify/hostFixtures.js'
import { kernelVariants } from '../../src/verify/poisonedRuntime.js'
import { checkPoint } from '../engine/casePoints.js'

// The method's own numbers, A1–A6 and the table of sizes.

const runtime = await openDevice()
t.teardown(() => runtime.close())

function assertAll(t: Tap, checks: readonly Check[]): void {
  for (const check of checks) {
    const { ok, name } = checkPoint(check)
    t.ok(ok, name)
  }
}

type Tap = Pick<typeof t, 'ok'>

t.test('sizes, positions and schedule', async (t) => assertAll(t, hostFixtures()))
for (const variant of kernelVariants(runtime)) {
  t.test(`models on ${variant.name}`, async (t) => assertAll(t, await deviceFixtures(variant.runtime)))
}
t.test('ViT-S starts where it should', async (t) => assertAll(t, await vitSmallFixture(runtime, 2)))

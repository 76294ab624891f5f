import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import type { Check } from '../../src/train/verify/check.js'
import { deviceFixtures, vitSmallFixture } from '../../src/train/verify/fixtures.js'
import { hostFixtures } from '../../src/train/verify/hostFixtures.js'
import { kernelVariants } from '../../src/train/verify/poisonedRuntime.js'

// The method's own numbers, A1–A6 and the table of sizes.

const TOLERANCE = 1e-4
const runtime = await openDevice()
t.teardown(() => runtime.close())

function assertAll(t: Tap, checks: readonly Check[]): void {
  for (const { group, what, error, tolerance } of checks)
    t.ok(error <= (tolerance ?? TOLERANCE), `${group}: ${what}: ${error}`)
}

type Tap = Pick<typeof t, 'ok'>

t.test('sizes, positions and schedule', async (t) => assertAll(t, hostFixtures()))
for (const variant of kernelVariants(runtime)) {
  t.test(`models on ${variant.name}`, async (t) => assertAll(t, await deviceFixtures(variant.runtime)))
}
t.test('ViT-S starts where it should', async (t) => assertAll(t, await vitSmallFixture(runtime, 2)))

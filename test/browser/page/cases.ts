import { openDevice } from '../../../src/engine/device.js'
import { decodeSafetensors } from '../../../src/train/checkpoint/safetensors.js'
import { casesByOp } from '../../../src/train/verify/cases/all.js'
import { deviceFixtures, vitSmallFixture } from '../../../src/train/verify/fixtures.js'
import { checkGolden } from '../../../src/train/verify/goldenCheck.js'
import { parseGoldenFile } from '../../../src/train/verify/goldenFile.js'
import { hostFixtures } from '../../../src/train/verify/hostFixtures.js'
import { kernelVariants } from '../../../src/train/verify/poisonedRuntime.js'
import { checkPoint, opPoints, type Point } from '../../engine/casePoints.js'

// The test cases of Node's tests as a page that a browser runs and a test in Node asks, group by group.

const runtime = await openDevice()
const variants = kernelVariants(runtime)
const ops = casesByOp()

const page = {
  about: {
    browser: browserName(),
    ops: [...ops.keys()],
    variants: variants.map(({ name }) => name),
  },

  async op(name: string, variant: number): Promise<Point[]> {
    const points: Point[] = []
    for await (const point of opPoints(variants[variant]!, ops.get(name)!)) points.push(point)
    return points
  },

  hostFixtures: (): Point[] => hostFixtures().map(checkPoint),

  async fixtures(variant: number): Promise<Point[]> {
    return (await deviceFixtures(variants[variant]!.runtime)).map(checkPoint)
  },

  async vitSmall(): Promise<Point[]> {
    return (await vitSmallFixture(runtime, 2)).map(checkPoint)
  },

  async golden(url: string): Promise<Point[]> {
    const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer())
    const { checks } = await checkGolden(runtime, parseGoldenFile(url, decodeSafetensors(bytes, url)))
    return checks.map(checkPoint)
  },
}

declare global {
  var casesPage: typeof page
}
globalThis.casesPage = page

/** "Chromium 156 (google swiftshader)". */
function browserName(): string {
  const version = /Chrome\/(\d+)/.exec(navigator.userAgent)?.[1]
  const { vendor, architecture } = runtime.caps
  return `Chromium ${version} (${vendor} ${architecture})`
}

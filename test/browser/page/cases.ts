import { findAdapter } from '../../../src/engine/adapter.browser.js'
import { readCapabilities } from '../../../src/engine/capabilities.js'
import { openDevice } from '../../../src/engine/device.js'
import { Runtime } from '../../../src/engine/runtime.js'
import { decodeSafetensors } from '../../../src/train/checkpoint/safetensors.js'
import { casesByOp } from '../../../src/verify/cases/all.js'
import { deviceFixtures } from '../../../src/verify/fixtures.js'
import { checkGolden } from '../../../src/verify/goldenCheck.js'
import { parseGoldenFile } from '../../../src/verify/goldenFile.js'
import { hostFixtures } from '../../../src/verify/hostFixtures.js'
import { type KernelVariant, kernelVariants } from '../../../src/verify/poisonedRuntime.js'
import { checkPoint, opPoints, type Point } from '../../engine/casePoints.js'

// The test cases of Node's tests as a page that a browser runs and a test in Node asks, group by group.

const runtime = await openDevice()
const ops = casesByOp()

/**
 * Kernels for CPU drivers on the device as the library opens it, and those for GPUs on a device that has the standard's core
 * and nothing more. Node runs both on one device; drivers in browsers take minutes to compile them a third time.
 */
const variants = [
  { variant: kernelsOf(runtime, 'CPU kernels'), note: '' },
  { variant: kernelsOf(await coreRuntime(), 'GPU kernels'), note: 'core features only, ' },
]

function kernelsOf(runtime: Runtime, name: KernelVariant['name']): KernelVariant {
  return kernelVariants(runtime).find((variant) => variant.name === name)!
}

async function coreRuntime(): Promise<Runtime> {
  const { adapter, software, notice } = await findAdapter()
  const device = await adapter.requestDevice()
  return new Runtime(device, readCapabilities(adapter, device, software), notice)
}

const page = {
  about: {
    browser: browserName(),
    ops: [...ops.keys()],
    variants: variants.map(({ variant, note }) => note + variant.name),
  },

  async op(op: string, index: number): Promise<Point[]> {
    const { variant, note } = variants[index]
    const points: Point[] = []
    for await (const { ok, name } of opPoints(variant, ops.get(op)!)) points.push({ ok, name: note + name })
    return points
  },

  hostFixtures: (): Point[] => hostFixtures().map(checkPoint),

  async fixtures(index: number): Promise<Point[]> {
    return (await deviceFixtures(variants[index].variant.runtime)).map(checkPoint)
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

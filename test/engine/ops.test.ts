import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { casesByOp } from '../../src/verify/cases/all.js'
import { kernelVariants } from '../../src/verify/poisonedRuntime.js'
import { opPoints } from './casePoints.js'

// Forward and gradients of every op against float64 on the host, on both families of kernels, outputs
// poisoned.

const runtime = await openDevice()
t.teardown(() => runtime.close())
const variants = kernelVariants(runtime)

for (const [op, cases] of casesByOp()) {
  await t.test(op, async (t) => {
    t.ok(cases.length >= 6, `${cases.length} cases`)
    for (const variant of variants) {
      for await (const { ok, name } of opPoints(variant, cases)) t.ok(ok, name)
    }
  })
}

import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { casesByOp, opTolerances } from '../../src/train/verify/cases/all.js'
import { kernelVariants } from '../../src/train/verify/poisonedRuntime.js'
import { casesOn, prepareCase, runCase } from '../../src/train/verify/runOpCase.js'

// Forward and gradients of every op against float64 on the host, on both families of kernels, outputs poisoned.

const DEFAULT_TOLERANCE = 1e-5
const runtime = await openDevice()
t.teardown(() => runtime.close())
const variants = kernelVariants(runtime)

for (const [op, cases] of casesByOp()) {
  await t.test(op, async (t) => {
    t.ok(cases.length >= 6, `${cases.length} cases`)
    const allowed = opTolerances[op] ?? DEFAULT_TOLERANCE
    for (const variant of variants) {
      const { name, runtime } = variant
      for (const opCase of casesOn(variant, cases)) {
        const { forward, gradient } = await runCase(runtime, prepareCase(opCase))
        t.ok(forward <= allowed, `${name}, ${opCase.label}: forward ${forward}`)
        if (gradient !== null) t.ok(gradient <= allowed, `${name}, ${opCase.label}: gradient ${gradient}`)
      }
    }
  })
}

import t from 'tap'
import { PhiloxStream } from '../../src/engine/random.js'
import { array64, elements, relativeError } from '../../src/verify/array64.js'
import { casesByOp } from '../../src/verify/cases/all.js'
import { erf } from '../../src/verify/reference/erf.js'
import { type PreparedCase, prepareCase } from '../../src/verify/runOpCase.js'

// The references are the judges of every kernel: their own gradients are judged by finite differences.

const SAMPLES = 12
/** Its gradient is not the derivative of what it computes: that is its purpose. */
const notDerivative = 'gradientReversal'

/**
 * Central differences of Σ y·dy in float64 at some elements of an input: a check of the analytic gradients.
 */
function finiteDifferences(prepared: PreparedCase, input: number, at: readonly number[]): number[] {
  const { opCase, inputs, dy } = prepared
  const arrays = inputs.map((values, i) => array64(values, opCase.inputs[i].shape))
  const sum = () => opCase.reference.forward(arrays).data.reduce((total, y, i) => total + y * dy[i], 0)
  return at.map((index) => {
    const { data } = arrays[input]
    const value = data[index]
    const step = 1e-5 * Math.max(1, Math.abs(value))
    data[index] = value + step
    const above = sum()
    data[index] = value - step
    const below = sum()
    data[index] = value
    return (above - below) / (2 * step)
  })
}

/** Work of a case, for choosing small ones. */
function caseSize({ opCase }: PreparedCase): number {
  return opCase.inputs.reduce((sum, { shape }) => sum + elements(shape), 0)
}

for (const [op, cases] of casesByOp()) {
  if (!cases[0].reference.gradients || op === notDerivative) continue
  t.test(`gradients of the ${op} reference`, async (t) => {
    const small = cases.map(prepareCase).filter((prepared) => caseSize(prepared) < 2000)
    t.ok(small.length > 0)
    for (const prepared of small.slice(0, 4)) {
      prepared.gradients.forEach((gradient, input) => {
        if (!gradient) return
        const random = new PhiloxStream(1, input)
        const at = Array.from({ length: Math.min(SAMPLES, gradient.size) }, () =>
          random.integer(gradient.size),
        )
        const numeric = finiteDifferences(prepared, input, at)
        const analytic = at.map((index) => gradient.data[index])
        const error = Math.hypot(...numeric.map((value, i) => value - analytic[i]))
        const scale = Math.max(Math.hypot(...analytic), Math.sqrt(at.length) * 1e-3)
        t.ok(error <= 1e-6 * scale, `${prepared.opCase.label}, input ${input}: ${error / scale}`)
      })
    }
  })
}

t.test('erf agrees with tabulated values on both sides of the switch', async (t) => {
  const table: [number, number][] = [
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.5, 0.999593047982555],
    [3, 0.9999779095030014],
  ]
  for (const [x, value] of table) {
    t.ok(Math.abs(erf(x) - value) < 1e-14, `erf(${x}) = ${erf(x)}`)
    t.equal(erf(-x), -erf(x))
  }
})

t.test('a relative error is infinite where numbers are missing or not finite', async (t) => {
  t.equal(relativeError([1, 2], [1, 2]), 0)
  t.equal(relativeError([0, 0], [0, 0]), 0)
  t.equal(relativeError([1, 3], [1, 2]), 1 / Math.sqrt(5))
  t.equal(relativeError([1], [1, 2]), Number.POSITIVE_INFINITY)
  t.equal(relativeError([1, Number.NaN], [1, 2]), Number.POSITIVE_INFINITY)
  t.equal(relativeError([1, 2], [1, Number.NaN]), Number.POSITIVE_INFINITY)
  t.equal(relativeError([1e-9], [0]), Number.POSITIVE_INFINITY)
})

import { backward, recordOp, withTape } from '../engine/autograd.js'
import { ShapeError } from '../engine/errors.js'
import type { Runtime } from '../engine/runtime.js'
import type { HostArray, Tensor } from '../engine/tensor.js'
import { type Array64, array64, relativeError } from './array64.js'
import { caseRandom, drawInputs, type OpCase, shapeText } from './opCase.js'
import type { KernelVariant } from './poisonedRuntime.js'

/** A case with its random inputs and float64 results; computed once, used for every variant. */
export interface PreparedCase {
  readonly opCase: OpCase
  readonly inputs: readonly HostArray[]
  readonly dy: Float32Array
  readonly y: Array64
  readonly gradients: readonly (Array64 | null)[]
}

export interface CaseErrors {
  readonly forward: number
  /** Worst over the inputs; null where the op has no gradients. */
  readonly gradient: number | null
}

/** Worst errors of an op's cases on one family of kernels. */
export interface OpResult extends CaseErrors {
  readonly cases: number
}

/** The cases that a variant runs: all except those that a CPU driver compiles too slowly. */
export function casesOn({ foreign }: KernelVariant, cases: readonly OpCase[]): readonly OpCase[] {
  return foreign ? cases.filter(({ costlyKernels }) => !costlyKernels) : cases
}

/** Runs the cases of an op on every variant. */
export async function runOp(
  variants: readonly KernelVariant[],
  cases: readonly OpCase[],
): Promise<OpResult[]> {
  const prepared = new Map(cases.map((one) => [one, prepareCase(one)]))
  const results: OpResult[] = []
  for (const variant of variants) {
    const errors: CaseErrors[] = []
    for (const one of casesOn(variant, cases)) errors.push(await runCase(variant.runtime, prepared.get(one)!))
    const gradients = errors.map(({ gradient }) => gradient).filter((gradient) => gradient !== null)
    const gradient = gradients.length > 0 ? Math.max(...gradients) : null
    results.push({
      cases: errors.length,
      forward: Math.max(...errors.map(({ forward }) => forward)),
      gradient,
    })
  }
  return results
}

export function prepareCase(opCase: OpCase): PreparedCase {
  const random = caseRandom(opCase)
  const inputs = drawInputs(opCase, random)
  const inputs64 = inputs.map((values, i) => array64(values, opCase.inputs[i].shape))
  const y = opCase.reference.forward(inputs64)
  const dy = Float32Array.from({ length: y.size }, () => random.normal())
  const gradients = opCase.reference.gradients?.(inputs64, array64(dy, y.shape)) ?? []
  return { opCase, inputs, dy, y, gradients }
}

/** Runs the op, then its backward with a random upstream gradient, and compares both with the reference. */
export async function runCase(runtime: Runtime, prepared: PreparedCase): Promise<CaseErrors> {
  const { opCase, y } = prepared
  const { output, gradients } = compute(runtime, prepared)
  const same = output.shape.join() === y.shape.join()
  if (!same)
    throw new ShapeError(opCase.op, `gave ${shapeText(output.shape)}, the reference ${shapeText(y.shape)}`)
  const forward = relativeError(await output.read(), y.data)
  const errors = await Promise.all(
    prepared.gradients.map((expected, i) => gradientError(gradients[i] ?? null, expected)),
  )
  for (const tensor of [output, ...gradients]) tensor?.dispose()
  return { forward, gradient: errors.length > 0 ? Math.max(...errors) : null }
}

async function gradientError(ours: Tensor | null, theirs: Array64 | null): Promise<number> {
  if (!ours || !theirs) return ours || theirs ? Number.POSITIVE_INFINITY : 0
  return relativeError(await ours.read(), theirs.data)
}

function compute(runtime: Runtime, prepared: PreparedCase): { output: Tensor; gradients: (Tensor | null)[] } {
  const { opCase, dy } = prepared
  const results: { output?: Tensor; gradients: (Tensor | null)[] } = { gradients: [] }
  runtime.scope(() => {
    const inputs = opCase.inputs.map(({ shape, dtype, gradient }, i) => {
      const tensor = runtime.tensor(prepared.inputs[i], shape, dtype)
      tensor.requiresGrad = gradient
      return tensor
    })
    const { result: output, tape } = withTape(runtime, () => opCase.run(...inputs))
    results.output = output
    if (prepared.gradients.length > 0) {
      const loss = weightedSum(runtime, output, runtime.tensor(dy, output.shape, output.dtype), tape)
      const gradients = backward(loss, tape, [output])
      results.gradients = inputs.map((input) => gradients.get(input) ?? null)
    }
    return [output, ...results.gradients.filter((gradient) => gradient !== null)]
  })
  return { output: results.output!, gradients: results.gradients }
}

/**
 * A loss Σ y·dy at the end of `tape`: hands y the gradient dy. Its own value is not needed and not computed.
 */
function weightedSum(runtime: Runtime, y: Tensor, dy: Tensor, tape: NonNullable<Runtime['tape']>): Tensor {
  runtime.tape = tape
  const loss = recordOp('weightedSum', runtime.zeros([1]), [y], () => [dy])
  runtime.tape = null
  return loss
}

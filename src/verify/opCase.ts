import { PhiloxStream } from '../engine/random.js'
import type { DType, HostArray, Tensor } from '../engine/tensor.js'
import { elements } from './array64.js'
import type { Reference } from './reference/reference.js'

/** One input of a case: its shape, and its values drawn from the case's own random stream. */
export interface CaseInput {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: DType
  /** Whether the op gives it a gradient. */
  readonly gradient: boolean
  /** Whether mixed precision stores it as f16. */
  readonly activation: boolean
  readonly values: (random: PhiloxStream, count: number) => HostArray
}

/** One call of an op: its inputs, its run on the engine, and its reference. */
export interface OpCase {
  readonly op: string
  /** Shapes and options, for display. */
  readonly label: string
  readonly inputs: readonly CaseInput[]
  readonly run: (...inputs: Tensor[]) => Tensor
  readonly reference: Reference
  /** Its GPU kernels take many seconds to compile on a CPU driver, so they run only on GPUs. */
  readonly costlyKernels?: boolean
}

/** Largest relative errors allowed for an op's cases; without an entry, only the caller's tolerance applies. */
export type Tolerances = Readonly<Record<string, number>>

/** An activation, which gets a gradient: normal, with a few outliers of ten times the size. */
export function variable(name: string, shape: readonly number[], scale = 1, offset = 0): CaseInput {
  const values = (random: PhiloxStream, count: number) =>
    Float32Array.from({ length: count }, () => {
      const outlier = random.uniform() < 0.01 ? 10 : 1
      return offset + scale * outlier * random.normal()
    })
  return { name, shape, dtype: 'f32', gradient: true, activation: true, values }
}

/** The same input, f32 in mixed precision too: parameters, logits, images. */
export function single(input: CaseInput): CaseInput {
  return { ...input, activation: false }
}

/** An input that gets no gradient, with values of its own. */
export function constant(
  name: string,
  shape: readonly number[],
  values: CaseInput['values'],
  dtype: DType = 'f32',
): CaseInput {
  return { name, shape, dtype, gradient: false, activation: false, values }
}

/** The random stream of a case depends on its name alone, so that adding one leaves the others unchanged. */
export function caseRandom({ op, label }: OpCase): PhiloxStream {
  let stream = 0
  for (const letter of `${op} ${label}`) stream = (Math.imul(stream, 31) + letter.charCodeAt(0)) >>> 0
  return new PhiloxStream(0, stream)
}

export function drawInputs(opCase: OpCase, random: PhiloxStream): HostArray[] {
  return opCase.inputs.map(({ shape, values }) => values(random, elements(shape)))
}

/** "[3,50,48]". */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join()}]`
}

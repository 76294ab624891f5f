import { concatRows, type Shape3, sliceRows } from '../../../kernels/tokens.js'
import { gradientTarget, needsGrad, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { sumRows } from './biasGradient.js'
import { batchTokensWidth, described } from './checks.js'

/**
 * The tokens of a, then those of b `repeatB` times over: [B, T1 + repeatB·T2, D]. a: [B or 1, T1, D], b: [B
 * or 1, T2, D]. An operand of batch 1 (a class token) serves every sample. repeatB fills many positions with
 * one learned token (the mask token); it needs b of batch 1. Among f16 activations a token may be f32; the
 * result is f16. Gradients of what was repeated are summed over the repetitions.
 *
 * @throws ShapeError if widths or batches do not fit, or repeatB > 1 with a b that has a batch of its own.
 */
export function concatTokens(a: Tensor, b: Tensor, repeatB = 1): Tensor {
  const aSizes = batchTokensWidth('concatTokens', 'a', a)
  const bSizes = batchTokensWidth('concatTokens', 'b', b)
  const B = Math.max(aSizes[0], bSizes[0])
  requireFit(a, b, repeatB, B)
  const [, T1, D] = aSizes
  const T = T1 + repeatB * bSizes[1]
  const { runtime } = a
  const y = runtime.empty([B, T, D], a.dtype === 'f16' ? 'f16' : b.dtype)
  runtime.dispatch(concatRows(runtime.caps, B, aSizes, bSizes, repeatB, a.stored, b.stored), [a, b, y])
  return recordOp('concatTokens', y, [a, b], (dy) => [
    needsGrad(a) ? operandGradient(dy, [B, T, D], a, 0, 1) : null,
    needsGrad(b) ? operandGradient(dy, [B, T, D], b, T1, repeatB) : null,
  ])
}

/** Gradient of the operand that stands at token `start` of the result, `repeat` times in every sample. */
function operandGradient(dy: Tensor, sizes: Shape3, operand: Tensor, start: number, repeat: number): Tensor {
  const { runtime } = dy
  const [B, T, D] = sizes
  const gradient = gradientTarget(operand)
  if (isSpread(operand, repeat, B)) {
    // One "row" is a whole copy of the operand; B·repeat of them are added.
    sumRows(dy, B * repeat, gradient, { innerRows: repeat, outerStride: T * D, offset: start * D })
  } else {
    const kernel = sliceRows(runtime.caps, sizes, start, operand.shape[1], dy.stored, operand.stored)
    runtime.dispatch(kernel, [dy, gradient])
  }
  return gradient
}

/** Whether the operand stands in more than one place. */
function isSpread({ shape }: Tensor, repeat: number, B: number): boolean {
  return shape[0] !== B || repeat > 1
}

function requireFit(a: Tensor, b: Tensor, repeatB: number, B: number): void {
  // The gradient of what stands in many places is a long sum: f32.
  for (const [name, operand, repeat] of [
    ['a', a, 1],
    ['b', b, repeatB],
  ] as const) {
    if (operand.dtype !== 'f32' && isSpread(operand, repeat, B))
      throw new ShapeError(
        'concatTokens',
        `${described(name, operand)}; expected f32 for an operand that is used more than once`,
      )
  }
  const batchesFit = [a, b].every(({ shape }) => shape[0] === B || shape[0] === 1)
  const repeatFits = Number.isInteger(repeatB) && repeatB >= 1 && (repeatB === 1 || b.shape[0] === 1)
  if (batchesFit && repeatFits && a.shape[2] === b.shape[2]) return
  const got = `${described('a', a)}, ${described('b', b)}, repeated ${repeatB} times`
  throw new ShapeError(
    'concatTokens',
    `${got}; expected equal widths, equal batches or 1, and batch 1 for a repeated operand`,
  )
}

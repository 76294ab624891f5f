import {
  layerNormBackward,
  layerNormForward,
  layerNormParameterGradients,
} from '../../../kernels/layerNorm.js'
import { rowsPerChunk } from '../../../kernels/reduce.js'
import { gradientTarget, needsGrad, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { sumRows } from './biasGradient.js'
import { described, requireElements } from './checks.js'

/**
 * Layer normalization over the last dimension: y = (x − mean)/√(variance + eps)·weight + bias, variance
 * biased. x: [..., D], weight, bias: f32 [D] → [..., D]. Ba, Kiros & Hinton 2016.
 *
 * @throws ShapeError if weight or bias is not [D], or x is empty.
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const D = normalisedWidth(x, weight, bias)
  const rows = x.size / D
  const { runtime } = x
  const y = runtime.empty(x.shape, x.dtype)
  const mean = runtime.empty([rows])
  const rstd = runtime.empty([rows])
  runtime.dispatch(layerNormForward(runtime.caps, rows, D, eps, x.stored), [x, weight, bias, y, mean, rstd])
  const backward = (dy: Tensor, taken: (input: Tensor) => Tensor | null) => {
    const dx = needsGrad(x) ? gradientTarget(x) : null
    if (dx) {
      // In a residual block x has another use, whose gradient is added here.
      const addend = taken(x)
      const kernel = layerNormBackward(runtime.caps, rows, D, addend !== null, x.stored)
      runtime.dispatch(kernel, [x, weight, dy, mean, rstd, ...(addend ? [addend] : []), dx])
    }
    return [dx, ...parameterGradients({ x, weight, bias, dy, mean, rstd })]
  }
  recordOp('layerNorm', y, [x, weight, bias], backward, [mean, rstd])
  if (!y.requiresGrad) for (const statistic of [mean, rstd]) statistic.dispose()
  return y
}

/** Gradients of weight and bias; both are computed together, as they read the same values. */
function parameterGradients(
  saved: Record<'x' | 'weight' | 'bias' | 'dy' | 'mean' | 'rstd', Tensor>,
): (Tensor | null)[] {
  const { x, weight, bias, dy, mean, rstd } = saved
  if (!needsGrad(weight) && !needsGrad(bias)) return [null, null]
  const { runtime } = x
  const D = weight.size
  const rows = x.size / D
  const chunk = rowsPerChunk(runtime.caps, rows, D)
  const chunks = Math.ceil(rows / chunk)
  const [dWeight, dBias] = [gradientTarget(weight), gradientTarget(bias)]
  const [weightSums, biasSums] =
    chunks === 1 ? [dWeight, dBias] : [runtime.empty([chunks, D]), runtime.empty([chunks, D])]
  runtime.dispatch(layerNormParameterGradients(rows, D, chunk, x.stored), [
    x,
    dy,
    mean,
    rstd,
    weightSums,
    biasSums,
  ])
  if (chunks > 1) {
    sumRows(weightSums, chunks, dWeight)
    sumRows(biasSums, chunks, dBias)
    weightSums.dispose()
    biasSums.dispose()
  }
  return [dWeight, dBias]
}

function normalisedWidth(x: Tensor, weight: Tensor, bias: Tensor): number {
  requireElements('layerNorm', 'x', x)
  const D = x.shape.at(-1) ?? 0
  for (const [name, parameter] of [
    ['weight', weight],
    ['bias', bias],
  ] as const) {
    if (parameter.shape.length !== 1 || parameter.size !== D) {
      throw new ShapeError(
        'layerNorm',
        `${described('x', x)}, ${described(name, parameter)}; expected [${D}]`,
      )
    }
  }
  return D
}

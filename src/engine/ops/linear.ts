import { geluBackward } from '../../../kernels/elementwise.js'
import { gradientTarget, needsGrad, record } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import { biasGradient } from './biasGradient.js'
import { type ProductSizes, product } from './matmul.js'

/**
 * Linear layer, bias and exact GELU fused in. x: [..., K], weight: [N, K], bias: [N] or null → [..., N].
 *
 *   z = x·Wᵀ + b        y = z, or gelu(z)
 *   dz = dy, or dy·gelu′(z)        dx = dz·W        dW = dzᵀ·x        db = Σ dz over the rows
 *
 * @throws ShapeError if the feature counts of x, weight and bias do not fit, or for a GELU without a bias.
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  activation: 'none' | 'gelu' = 'none',
): Tensor {
  const sizes = linearSizes(x, weight, bias)
  const { runtime } = x
  const y = runtime.empty([...x.shape.slice(0, -1), sizes.n])
  const inputs = bias ? [x, weight, bias] : [x, weight]
  if (activation === 'none') {
    product('NT', sizes, x, weight, y, bias && { bias, preActivation: null })
    return record('linear', y, inputs, (dy) => linearGradients(sizes, dy, x, weight, bias))
  }
  if (!bias)
    throw new ShapeError('linear', 'the GELU is fused with the bias: give one, or apply gelu() after')
  const z = runtime.empty(y.shape)
  product('NT', sizes, x, weight, y, { bias, preActivation: z })
  const backward = (dy: Tensor) => {
    const dz = runtime.empty(y.shape)
    runtime.dispatch(geluBackward(runtime.caps, z.size), [z, dy, dz])
    const gradients = linearGradients(sizes, dz, x, weight, bias)
    dz.dispose()
    return gradients
  }
  record('linear.gelu', y, inputs, backward, [z])
  if (!y.requiresGrad) z.dispose()
  return y
}

function linearGradients(
  { m, n, k }: ProductSizes,
  dz: Tensor,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
): (Tensor | null)[] {
  const dx = needsGrad(x) ? gradientTarget(x) : null
  const dWeight = needsGrad(weight) ? gradientTarget(weight) : null
  const dBias = bias && needsGrad(bias) ? gradientTarget(bias) : null
  if (dx) product('NN', { batch: 1, m, n: k, k: n }, dz, weight, dx)
  if (dWeight) product('TN', { batch: 1, m: n, n: k, k: m }, dz, x, dWeight)
  if (dBias) biasGradient(dz, dBias)
  return bias ? [dx, dWeight, dBias] : [dx, dWeight]
}

function linearSizes(x: Tensor, weight: Tensor, bias: Tensor | null): ProductSizes {
  const features = x.shape.at(-1)
  const [n, k] = weight.shape
  if (features === undefined || n === undefined || k === undefined || weight.shape.length !== 2) {
    throw new ShapeError(
      'linear',
      `wants x [..., K] and weight [N, K], got x [${x.shape}], weight [${weight.shape}]`,
    )
  }
  if (features !== k) {
    throw new ShapeError(
      'linear',
      `x has ${features} features [${x.shape}], weight wants ${k} [${weight.shape}]`,
    )
  }
  if (bias && (bias.shape.length !== 1 || bias.size !== n)) {
    throw new ShapeError('linear', `weight [${weight.shape}] wants a bias [${n}], got [${bias.shape}]`)
  }
  if (x.size * n === 0)
    throw new ShapeError('linear', `empty operand: x [${x.shape}], weight [${weight.shape}]`)
  return { batch: 1, m: x.size / k, n, k }
}

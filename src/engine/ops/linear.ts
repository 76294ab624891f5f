import { geluBackward } from '../../../kernels/elementwise.js'
import { gradientTarget, needsGrad, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import { Parameter, type Tensor } from '../tensor.js'
import { biasGradient } from './biasGradient.js'
import { described, requireSameShape } from './checks.js'
import { canSumRows, type ProductSizes, product } from './product.js'

/**
 * Linear layer, bias and exact GELU fused in. x: [..., K], weight: [N, K], bias: [N] or null → [..., N].
 *
 *   z = x·Wᵀ + b        y = z, or gelu(z)
 *   dz = dy, or dy·gelu′(z)        dx = dz·W        dW = dzᵀ·x        db = Σ dz over the rows
 *
 * x may be f16; then y is, and a weight with an f16 shadow is read from there. Bias and parameter gradients
 * are f32.
 *
 * @throws ShapeError if the feature counts of x, weight and bias do not fit, or for a GELU without a bias.
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  activation: 'none' | 'gelu' = 'none',
): Tensor {
  const sizes = linearSizes('linear', x, weight, bias)
  const { runtime } = x
  const y = runtime.empty([...x.shape.slice(0, -1), sizes.n], x.dtype)
  const inputs = bias ? [x, weight, bias] : [x, weight]
  if (activation === 'none') {
    product('NT', sizes, x, storedWeight(x, weight), y, bias ? { kind: 'bias', bias } : undefined)
    return recordOp('linear', y, inputs, (dy) => linearGradients(sizes, dy, x, weight, bias))
  }
  if (!bias)
    throw new ShapeError('linear', 'the GELU is fused with the bias: pass a bias, or apply gelu() afterwards')
  const z = runtime.empty(y.shape, y.dtype)
  product('NT', sizes, x, storedWeight(x, weight), y, { kind: 'biasGelu', bias, preActivation: z })
  const backward = (dy: Tensor) => {
    const dz = runtime.empty(y.shape, y.dtype)
    runtime.dispatch(geluBackward(runtime.caps, z.size, z.stored), [z, dy, dz])
    const gradients = linearGradients(sizes, dz, x, weight, bias)
    dz.dispose()
    return gradients
  }
  recordOp('linear.gelu', y, inputs, backward, [z])
  if (!y.requiresGrad) z.dispose()
  return y
}

/**
 * Linear layer and the residual connection around it: y = residual + x·Wᵀ + b. x: [..., K], weight: [N, K],
 * bias: [N], residual: [..., N] → [..., N]. Gradients as those of `linear`; that of `residual` is dy.
 *
 * @throws ShapeError if the feature counts of x, weight and bias do not fit, or the shape or type of residual differs from the result.
 */
export function linearResidual(x: Tensor, weight: Tensor, bias: Tensor, residual: Tensor): Tensor {
  const sizes = linearSizes('linearResidual', x, weight, bias)
  const y = x.runtime.empty([...x.shape.slice(0, -1), sizes.n], x.dtype)
  requireSameShape('linearResidual', 'residual', residual, 'x·Wᵀ', y)
  product('NT', sizes, x, storedWeight(x, weight), y, { kind: 'residual', bias, residual })
  return recordOp('linearResidual', y, [x, weight, bias, residual], (dy) => [
    ...linearGradients(sizes, dy, x, weight, bias),
    needsGrad(residual) ? dy : null,
  ])
}

/** The tensor that a product with x reads for the weight. */
function storedWeight(x: Tensor, weight: Tensor): Tensor {
  return (x.dtype === 'f16' && weight instanceof Parameter && weight.shadow) || weight
}

function linearGradients(
  { m, n, k }: ProductSizes,
  dz: Tensor,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
): (Tensor | null)[] {
  const dx = needsGrad(x) ? gradientTarget(x) : null
  if (dx) product('NN', { batch: 1, m, n: k, k: n }, dz, storedWeight(x, weight), dx)
  const dWeight = needsGrad(weight) ? parameterTarget(weight) : null
  const dBias = bias && needsGrad(bias) ? parameterTarget(bias) : null
  parameterGradients({ batch: 1, m: n, n: k, k: m }, dz, x, dWeight, dBias)
  return [dx, ...[dWeight, ...(bias ? [dBias] : [])].map((gradient) => gradient?.target ?? null)]
}

interface ParameterTarget {
  readonly target: Tensor
  /** The target already contains the gradients of other uses: add to them. */
  readonly accumulate: boolean
}

function parameterTarget(parameter: Tensor): ParameterTarget {
  if (parameter instanceof Parameter && parameter.gradient && parameter.gradientWritten)
    return { target: parameter.gradient, accumulate: true }
  return { target: gradientTarget(parameter), accumulate: false }
}

/** dW = dzᵀ·x and db, in one kernel where the variant can and both are fresh. */
function parameterGradients(
  sizes: ProductSizes,
  dz: Tensor,
  x: Tensor,
  dWeight: ParameterTarget | null,
  dBias: ParameterTarget | null,
): void {
  const fresh = dWeight && dBias && !dWeight.accumulate && !dBias.accumulate
  if (fresh && canSumRows('TN', sizes, dz, x, dWeight.target)) {
    product('TN', sizes, dz, x, dWeight.target, { kind: 'rowSums', sums: dBias.target })
    return
  }
  if (dWeight)
    product('TN', sizes, dz, x, dWeight.target, { kind: dWeight.accumulate ? 'accumulate' : 'none' })
  if (dBias) biasGradient(dz, dBias.target, dBias.accumulate)
}

function linearSizes(op: string, x: Tensor, weight: Tensor, bias: Tensor | null): ProductSizes {
  const features = x.shape.at(-1)
  const [n, k] = weight.shape
  if (features === undefined || n === undefined || k === undefined || weight.shape.length !== 2) {
    throw new ShapeError(
      op,
      `expected x [..., K] and weight [N, K], got x [${x.shape}], weight [${weight.shape}]`,
    )
  }
  if (features !== k) {
    throw new ShapeError(
      op,
      `x has ${features} features [${x.shape}], the weight expects ${k} [${weight.shape}]`,
    )
  }
  if (bias && (bias.shape.length !== 1 || bias.size !== n || bias.dtype !== 'f32')) {
    throw new ShapeError(op, `weight [${weight.shape}] expects a bias [${n}], got ${described('bias', bias)}`)
  }
  if (x.size * n === 0) throw new ShapeError(op, `empty operand: x [${x.shape}], weight [${weight.shape}]`)
  return { batch: 1, m: x.size / k, n, k }
}

import {
  type MatmulEpilogue,
  type MatmulLayout,
  matmulKernel,
  matmulSplits,
  transposeFirst,
} from '../../../kernels/matmul.js'
import { transposeKernel } from '../../../kernels/transpose.js'
import { gradientTarget, needsGrad, record } from '../autograd.js'
import { ShapeError } from '../errors.js'
import { elementCount, type Tensor } from '../tensor.js'
import { sumRows } from './biasGradient.js'

export interface MatmulOptions {
  /** `a` is given as [...batch, K, M]. */
  readonly transposeA?: boolean
  /** `b` is given as [...batch, N, K]. */
  readonly transposeB?: boolean
}

/**
 * Batched matrix product. a: [...batch, M, K], b: [...batch, K, N] (or transposed, see the options), the same batch
 * dimensions on both → [...batch, M, N].
 *
 *   C = A·B    dA = dC·Bᵀ    dB = Aᵀ·dC      and the same with A or B transposed where they are given so.
 *
 * @throws ShapeError if ranks, batch dimensions or the lengths summed over differ.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options
  if (transposeA && transposeB) {
    throw new ShapeError(
      'matmul',
      'transposing both operands is not offered: swap them and read the result transposed',
    )
  }
  const { batch, m, n, k } = matmulSizes(a, b, transposeA, transposeB)
  const y = a.runtime.empty([...a.shape.slice(0, -2), m, n])
  product(transposeA ? 'TN' : transposeB ? 'NT' : 'NN', { batch, m, n, k }, a, b, y)
  return record('matmul', y, [a, b], (dy) => {
    const da = needsGrad(a) ? gradientTarget(a) : null
    const db = needsGrad(b) ? gradientTarget(b) : null
    if (da && transposeA) product('NT', { batch, m: k, n: m, k: n }, b, dy, da)
    else if (da) product(transposeB ? 'NN' : 'NT', { batch, m, n: k, k: n }, dy, b, da)
    if (db && transposeB) product('TN', { batch, m: n, n: k, k: m }, dy, a, db)
    else if (db) product(transposeA ? 'NN' : 'TN', { batch, m: k, n, k: m }, a, dy, db)
    return [da, db]
  })
}

export interface ProductSizes {
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
}

/** c = op(a)·op(b), through a workspace where k is split. Not a tape op: forward and backward functions call it. */
export function product(layout: MatmulLayout, sizes: ProductSizes, a: Tensor, b: Tensor, c: Tensor): void {
  const { runtime } = c
  if (transposeFirst(runtime.caps, layout, sizes.m)) {
    withTransposed(b, sizes, (kMajor) => product('NN', sizes, a, kMajor, c))
    return
  }
  const splits = matmulSplits(runtime.caps, { ...sizes, layout })
  const kernel = matmulKernel(runtime.caps, { ...sizes, layout, epilogue: 'none', splits })
  if (splits === 1) {
    runtime.dispatch(kernel, [a, b, c])
    return
  }
  const parts = runtime.empty([splits, sizes.m, sizes.n])
  runtime.dispatch(kernel, [a, b, parts])
  sumRows(parts, splits, c)
  parts.dispose()
}

/** x·Wᵀ + bias with an epilogue; `outputs` are those of the kernel. */
export function productWithBias(
  epilogue: Exclude<MatmulEpilogue, 'none'>,
  sizes: ProductSizes,
  [x, weight, bias]: readonly [x: Tensor, weight: Tensor, bias: Tensor],
  outputs: readonly Tensor[],
): void {
  const { runtime } = x
  const run = (layout: MatmulLayout, w: Tensor) =>
    runtime.dispatch(matmulKernel(runtime.caps, { ...sizes, layout, epilogue, splits: 1 }), [
      x,
      w,
      bias,
      ...outputs,
    ])
  if (transposeFirst(runtime.caps, 'NT', sizes.m))
    withTransposed(weight, sizes, (kMajor) => run('NN', kMajor))
  else run('NT', weight)
}

/** Lends `use` a copy of b [batch, n, k] as [batch, k, n]. */
function withTransposed(b: Tensor, { batch, n, k }: ProductSizes, use: (kMajor: Tensor) => void): void {
  const { runtime } = b
  const kMajor = runtime.empty([batch, k, n])
  runtime.dispatch(transposeKernel(runtime.caps, batch, n, k), [b, kMajor])
  use(kMajor)
  kMajor.dispose()
}

function matmulSizes(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): ProductSizes {
  const got = `a [${a.shape}]${transposeA ? 'ᵀ' : ''}, b [${b.shape}]${transposeB ? 'ᵀ' : ''}`
  if (a.shape.length < 2 || a.shape.length !== b.shape.length) {
    throw new ShapeError('matmul', `wants two operands of the same rank, at least 2, got ${got}`)
  }
  const batchShape = a.shape.slice(0, -2)
  if (batchShape.join() !== b.shape.slice(0, -2).join()) {
    throw new ShapeError('matmul', `batch dimensions differ: ${got}`)
  }
  const [a0, a1] = a.shape.slice(-2) as [number, number]
  const [b0, b1] = b.shape.slice(-2) as [number, number]
  const [m, k] = transposeA ? [a1, a0] : [a0, a1]
  const [n, kOfB] = transposeB ? [b0, b1] : [b1, b0]
  if (k !== kOfB)
    throw new ShapeError('matmul', `the sum runs over ${k} values in a and ${kOfB} in b: ${got}`)
  if (elementCount([...batchShape, m, n, k]) === 0) throw new ShapeError('matmul', `empty operand: ${got}`)
  return { batch: elementCount(batchShape), m, n, k }
}

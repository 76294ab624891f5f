import { type MatmulLayout, matmulKernel, matmulSplits, wantedLayout } from '../../../kernels/matmul.js'
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

/** What a linear layer does with the product: a bias [n], and the exact GELU if `preActivation` is there to keep its input. */
export interface Epilogue {
  readonly bias: Tensor
  readonly preActivation: Tensor | null
}

/**
 * c = op(a)·op(b), through a workspace where k is split and with operands transposed where the adapter wants that.
 * Not a tape op: forward and backward functions call it.
 */
export function product(
  layout: MatmulLayout,
  sizes: ProductSizes,
  a: Tensor,
  b: Tensor,
  c: Tensor,
  epilogue: Epilogue | null = null,
): void {
  const { batch, m, n, k } = sizes
  const wanted = wantedLayout(c.runtime.caps, layout)
  const wantedA = layout !== 'TN' && wanted === 'TN' ? transposed(a, batch, m, k) : a
  const wantedB = layout === 'NT' && wanted !== 'NT' ? transposed(b, batch, n, k) : b
  if (epilogue) productWithEpilogue(wanted, sizes, wantedA, wantedB, c, epilogue)
  else splitProduct(wanted, sizes, wantedA, wantedB, c)
  if (wantedA !== a) wantedA.dispose()
  if (wantedB !== b) wantedB.dispose()
}

function splitProduct(layout: MatmulLayout, sizes: ProductSizes, a: Tensor, b: Tensor, c: Tensor): void {
  const { runtime } = c
  const splits = matmulSplits(runtime.caps, sizes)
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

function productWithEpilogue(
  layout: MatmulLayout,
  sizes: ProductSizes,
  a: Tensor,
  b: Tensor,
  c: Tensor,
  { bias, preActivation }: Epilogue,
): void {
  const { runtime } = c
  const epilogue = preActivation ? 'biasGelu' : 'bias'
  const kernel = matmulKernel(runtime.caps, { ...sizes, layout, epilogue, splits: 1 })
  runtime.dispatch(kernel, preActivation ? [a, b, bias, preActivation, c] : [a, b, bias, c])
}

/** x [batch, rows, columns] → [batch, columns, rows]. */
function transposed(x: Tensor, batch: number, rows: number, columns: number): Tensor {
  const { runtime } = x
  const y = runtime.empty([batch, columns, rows])
  runtime.dispatch(transposeKernel(runtime.caps, batch, rows, columns), [x, y])
  return y
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

import { gradientTarget, needsGrad, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import { elementCount, type Tensor } from '../tensor.js'
import { described } from './checks.js'
import { type ProductSizes, product } from './product.js'

export interface MatmulOptions {
  /** `a` is given as [...batch, K, M]. */
  readonly transposeA?: boolean
  /** `b` is given as [...batch, N, K]. */
  readonly transposeB?: boolean
}

/**
 * Batched matrix product. a: [...batch, M, K], b: [...batch, K, N] (or transposed, see the options), the same
 * batch dimensions on both, both f32 or both f16 → [...batch, M, N] of the same type.
 *
 *   C = A·B    dA = dC·Bᵀ    dB = Aᵀ·dC      and the same with A or B transposed where they are given so.
 *
 * @throws ShapeError if types, ranks, batch dimensions or the lengths summed over differ.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options
  if (transposeA && transposeB) {
    throw new ShapeError(
      'matmul',
      'transposing both operands is not supported: swap them and read the result transposed',
    )
  }
  const { batch, m, n, k } = matmulSizes(a, b, transposeA, transposeB)
  const y = a.runtime.empty([...a.shape.slice(0, -2), m, n], a.dtype)
  product(transposeA ? 'TN' : transposeB ? 'NT' : 'NN', { batch, m, n, k }, a, b, y)
  return recordOp('matmul', y, [a, b], (dy) => {
    const da = needsGrad(a) ? gradientTarget(a) : null
    const db = needsGrad(b) ? gradientTarget(b) : null
    if (da && transposeA) product('NT', { batch, m: k, n: m, k: n }, b, dy, da)
    else if (da) product(transposeB ? 'NN' : 'NT', { batch, m, n: k, k: n }, dy, b, da)
    if (db && transposeB) product('TN', { batch, m: n, n: k, k: m }, dy, a, db)
    else if (db) product(transposeA ? 'NN' : 'TN', { batch, m: k, n, k: m }, a, dy, db)
    return [da, db]
  })
}

function matmulSizes(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): ProductSizes {
  const got = `a [${a.shape}]${transposeA ? 'ᵀ' : ''}, b [${b.shape}]${transposeB ? 'ᵀ' : ''}`
  if (a.shape.length < 2 || a.shape.length !== b.shape.length) {
    throw new ShapeError('matmul', `expected two operands of the same rank, at least 2, got ${got}`)
  }
  if (a.dtype !== b.dtype)
    throw new ShapeError('matmul', `${described('a', a)}, ${described('b', b)}; the types must be equal`)
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

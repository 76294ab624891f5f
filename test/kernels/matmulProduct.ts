import type { Kernel } from '../../kernels/kernel.js'
import type { MatmulEpilogue, MatmulProduct } from '../../kernels/matmulShared.js'
import { fromHalf, toHalf } from '../../src/engine/float16.js'
import { PhiloxStream } from '../../src/engine/random.js'
import type { DType, Tensor } from '../../src/engine/tensor.js'
import { array64, relativeError, times, transposed } from '../../src/verify/array64.js'
import type { PoisonedRuntime } from '../../src/verify/poisonedRuntime.js'
import { geluValue } from '../../src/verify/reference/erf.js'

/** A value of the stored type, drawn from a normal distribution. */
function draw(random: PhiloxStream, count: number, type: DType): Float32Array {
  const value = () => (type === 'f16' ? fromHalf(toHalf(random.normal())) : random.normal())
  return Float32Array.from({ length: count }, value)
}

/**
 * Operands of a product, drawn once, and the product in float64 (without its epilogue), one per batch and
 * part of k.
 */
export class Operands {
  readonly a: Float32Array
  readonly b: Float32Array
  readonly bias: Float32Array
  readonly residual: Float32Array
  readonly sums: Float64Array

  constructor(readonly product: MatmulProduct) {
    const { batch, m, n, k, stored } = product
    const random = new PhiloxStream(3, m * 31 + n * 7 + k)
    this.a = draw(random, batch * m * k, stored.a)
    this.b = draw(random, batch * k * n, stored.b)
    this.bias = draw(random, n, 'f32')
    this.residual = draw(random, batch * m * n, stored.c)
    this.sums = this.#multiply()
  }

  #multiply(): Float64Array {
    const { batch, m, n, k, layout } = this.product
    const sums = new Float64Array(batch * m * n)
    for (let z = 0; z < batch; z++) {
      const a = array64(this.a.subarray(z * m * k, (z + 1) * m * k), layout === 'TN' ? [k, m] : [m, k])
      const b = array64(this.b.subarray(z * k * n, (z + 1) * k * n), layout === 'NT' ? [n, k] : [k, n])
      const c = times(layout === 'TN' ? transposed(a) : a, layout === 'NT' ? transposed(b) : b)
      sums.set(c.data, z * m * n)
    }
    return sums
  }

  /** What the kernel should leave in C, and in the pre-activation. */
  expected(): { c: Float64Array; z: Float64Array } {
    const { n, epilogue } = this.product
    const z = this.sums.map((sum, i) => {
      if (epilogue === 'none') return sum
      if (epilogue === 'accumulate') return sum + this.residual[i]
      return sum + this.bias[i % n] + (epilogue === 'residual' ? this.residual[i] : 0)
    })
    return { c: epilogue === 'biasGelu' ? z.map(geluValue) : z, z }
  }
}

/** Largest relative error of C and of the pre-activation, outputs poisoned beforehand. */
export async function productError(
  runtime: PoisonedRuntime,
  operands: Operands,
  kernel: Kernel,
): Promise<number> {
  const { product } = operands
  const { batch, m, n, k, layout, epilogue, splits, stored } = product
  const a = runtime.tensor(operands.a, layout === 'TN' ? [batch, k, m] : [batch, m, k], stored.a)
  const b = runtime.tensor(operands.b, layout === 'NT' ? [batch, n, k] : [batch, k, n], stored.b)
  const bias = runtime.tensor(operands.bias, [n])
  const residual = runtime.tensor(operands.residual, [batch, m, n], stored.c)
  const z = runtime.empty([batch, m, n], stored.c)
  const c = epilogue === 'accumulate' ? residual : runtime.empty([splits * batch, m, n], stored.c)
  const between: Partial<Record<MatmulEpilogue, Tensor[]>> = {
    none: [],
    accumulate: [],
    bias: [bias],
    residual: [bias, residual],
    biasGelu: [bias, z],
  }
  const used = between[epilogue]!
  const unused = Array<Tensor>(kernel.bindings.length - 3 - used.length).fill(b)
  runtime.dispatch(kernel, [a, b, ...used, ...unused, c])
  const expected = operands.expected()
  const error = relativeError(addParts(await c.read(), splits), expected.c)
  const other = epilogue === 'biasGelu' ? relativeError(await z.read(), expected.z) : 0
  for (const tensor of new Set<Tensor>([a, b, bias, residual, z, c])) tensor.dispose()
  return Math.max(error, other)
}

/** The second pass of split-K. */
function addParts(values: ArrayLike<number>, parts: number): Float64Array {
  const size = values.length / parts
  const sums = new Float64Array(size)
  for (let i = 0; i < values.length; i++) sums[i % size] += values[i]
  return sums
}

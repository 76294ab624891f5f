/**
 * Matrix products as ops use them: a variant is chosen, its plan says how operands are laid out and long sums
 * are cut. Not tape ops.
 */
import type { Kernel } from '../../../kernels/kernel.js'
import { matmulPlan, matmulVariants } from '../../../kernels/matmul.js'
import type { MatmulLayout, MatmulSpec } from '../../../kernels/matmulShared.js'
import { transposeKernel } from '../../../kernels/transpose.js'
import type { Tensor } from '../tensor.js'
import type { Tunable } from '../variants.js'
import { sumRows } from './biasGradient.js'

export interface ProductSizes {
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
}

/**
 * What is computed on top of the product (`MatmulEpilogue` in kernels/matmulShared.ts), with the tensors it
 * takes.
 */
export type Epilogue =
  | { readonly kind: 'none' | 'accumulate' }
  | { readonly kind: 'bias'; readonly bias: Tensor }
  | { readonly kind: 'biasGelu'; readonly bias: Tensor; readonly preActivation: Tensor }
  | { readonly kind: 'residual'; readonly bias: Tensor; readonly residual: Tensor }
  | { readonly kind: 'rowSums'; readonly sums: Tensor }

/**
 * Which matmul variant runs a product. Classes: layout, epilogue, types and alignment, sizes to the next
 * power of two.
 */
export const productTunable: Tunable<MatmulSpec, Tensor> = {
  family: 'matmul',
  shapeClass({ batch, m, n, k, layout, epilogue, stored }) {
    const size = (value: number) => `${2 ** Math.ceil(Math.log2(value))}${value % 4 === 0 ? '' : '+'}`
    const types = [stored.a, stored.b, stored.c].join('-')
    return `${layout} ${epilogue} ${types} ${[batch, m, n, k].map(size).join('x')}`
  },
  candidates: matmulVariants,
  flops: ({ batch, m, n, k }) => 2 * batch * m * n * k,
  operands({ batch, m, n, k, layout, stored }) {
    return [
      { shape: [batch, ...(layout === 'TN' ? [k, m] : [m, k])], dtype: stored.a },
      { shape: [batch, ...(layout === 'NT' ? [n, k] : [k, n])], dtype: stored.b },
    ]
  },
  run(spec, variant, [a, b]) {
    const { runtime } = a
    // One epilogue stands for all that read more and write to the same places: like them it keeps k in one
    // part.
    const kind = spec.epilogue === 'none' ? 'none' : 'accumulate'
    const c = runtime.empty([spec.batch, spec.m, spec.n], spec.stored.c)
    runProduct({ ...spec, epilogue: kind }, variant, a, b, c, { kind })
    return [c]
  },
}

/** c = op(a)·op(b), through the epilogue. Operands may be f32 or f16, each on its own. */
export function product(
  layout: MatmulLayout,
  sizes: ProductSizes,
  a: Tensor,
  b: Tensor,
  c: Tensor,
  epilogue: Epilogue = { kind: 'none' },
): void {
  const spec = productSpec(layout, sizes, a, b, c, epilogue.kind)
  runProduct(spec, c.runtime.variants.choose(productTunable, spec), a, b, c, epilogue)
}

/** Whether a product can leave the sums of op(a)'s rows on its way. */
export function canSumRows(
  layout: MatmulLayout,
  sizes: ProductSizes,
  a: Tensor,
  b: Tensor,
  c: Tensor,
): boolean {
  const { caps } = c.runtime
  const spec = productSpec(layout, sizes, a, b, c, 'rowSums')
  const [variant] = matmulVariants(caps, spec)
  return variant !== undefined && matmulPlan(caps, { ...spec, epilogue: 'none' }, variant).splits === 1
}

function productSpec(
  layout: MatmulLayout,
  { batch, m, n, k }: ProductSizes,
  a: Tensor,
  b: Tensor,
  c: Tensor,
  epilogue: Epilogue['kind'],
): MatmulSpec {
  return { batch, m, n, k, layout, epilogue, stored: { a: a.stored, b: b.stored, c: c.stored } }
}

function runProduct(
  spec: MatmulSpec,
  variant: string,
  a: Tensor,
  b: Tensor,
  c: Tensor,
  epilogue: Epilogue,
): void {
  const { batch, m, n, k } = spec
  const { runtime } = c
  const { layout, splits, kernel } = matmulPlan(runtime.caps, spec, variant)
  const arrangedA = (layout === 'TN') !== (spec.layout === 'TN') ? transposed(a, batch, m, k) : a
  const arrangedB = (layout === 'NT') !== (spec.layout === 'NT') ? transposed(b, batch, n, k) : b
  if (splits === 1) dispatchProduct(kernel, arrangedA, arrangedB, c, epilogue)
  else {
    const parts = runtime.empty([splits, m, n])
    dispatchProduct(kernel, arrangedA, arrangedB, parts, { kind: 'none' })
    sumRows(parts, splits, c)
    parts.dispose()
  }
  if (arrangedA !== a) arrangedA.dispose()
  if (arrangedB !== b) arrangedB.dispose()
}

/**
 * What the kernel binds and this epilogue leaves alone is given b where it is read, and a tensor of no use
 * where it is written.
 */
function dispatchProduct(kernel: Kernel, a: Tensor, b: Tensor, c: Tensor, epilogue: Epilogue): void {
  const { runtime } = c
  const { read, written } = extraTensors(epilogue)
  const between = kernel.bindings
    .slice(2, -1)
    .map((access) => (access === 'read' ? (read.shift() ?? b) : (written.shift() ?? runtime.unused)))
  runtime.dispatch(kernel, [a, b, ...between, c])
}

/** In the order of the kernel's bindings. */
function extraTensors(epilogue: Epilogue): { read: Tensor[]; written: Tensor[] } {
  switch (epilogue.kind) {
    case 'bias':
      return { read: [epilogue.bias], written: [] }
    case 'biasGelu':
      return { read: [epilogue.bias], written: [epilogue.preActivation] }
    case 'residual':
      return { read: [epilogue.bias, epilogue.residual], written: [] }
    case 'rowSums':
      return { read: [], written: [epilogue.sums] }
    default:
      return { read: [], written: [] }
  }
}

/** x [batch, rows, columns] → [batch, columns, rows]. */
function transposed(x: Tensor, batch: number, rows: number, columns: number): Tensor {
  const { runtime } = x
  const y = runtime.empty([batch, columns, rows], x.dtype)
  runtime.dispatch(transposeKernel(runtime.caps, batch, rows, columns, x.stored), [x, y])
  return y
}

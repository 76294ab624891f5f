/**
 * Matrix products, the bulk of all arithmetic here: which variants there are and which of them run a product.
 *
 * Maths    C[z] = op(A[z]) · op(B[z]) for every z of the batch, then an epilogue (bias, GELU, …: `MatmulEpilogue`):
 *            NN  C = A·B     A [m,k]  B [k,n]     gradient of a linear's input,  dX = dY·W
 *            NT  C = A·Bᵀ    A [m,k]  B [n,k]     a linear forward,              Y = X·Wᵀ
 *            TN  C = Aᵀ·B    A [k,m]  B [k,n]     gradient of a linear's weight, dW = dYᵀ·X
 * Shapes   row-major, f32 or f16, C [batch,m,n]; any m, n, k ≥ 1. Sizes are uniforms.
 * Variants for GPUs those of matmulGpu.ts; for software adapters `broadcast` (matmulBroadcast.ts), and `register` for what it
 *          cannot run (matmulRegister.ts).
 * Split-K  where m·n gives too few workgroups to fill the device and k is long (weight gradients: k = batch × tokens), k is cut
 *          into `splits` parts, C becomes a workspace [splits,m,n], and a column sum adds the parts in a fixed order.
 * Numerics f32 accumulators, k in ascending order in each part; the same shape on the same adapter gives the same bits.
 */
import type { Kernel, KernelCaps } from './kernel.js'
import { broadcastFits, broadcastText } from './matmulBroadcast.js'
import { gpuChoice, gpuVariants } from './matmulGpu.js'
import { registerText } from './matmulRegister.js'
import {
  type MatmulLayout,
  type MatmulProduct,
  type MatmulSpec,
  type MatmulText,
  productKernel,
} from './matmulShared.js'

export type { MatmulEpilogue, MatmulLayout, MatmulProduct, MatmulSpec, StoredTypes } from './matmulShared.js'

/** One way to compute products. */
export interface MatmulVariant {
  readonly name: string
  /** The layout that a product is brought to before, by transposing the operands that differ. */
  takes(layout: MatmulLayout): MatmulLayout
  /** Whether it can and should run a product, given in the layout that it takes. */
  fits(caps: KernelCaps, spec: MatmulSpec): boolean
  /** So many workgroups fill the device: with fewer, long sums are cut into parts. */
  readonly workgroupsWanted: number
  text(caps: KernelCaps, product: MatmulProduct): MatmulText
}

/** Cutting k for more would cost a second pass, and the row sums a pass of their own. */
const cpuWorkgroups = 2

/** The fixed table: on a CPU driver the first that fits is used where nothing was measured; for GPUs see `gpuChoice`. */
const variants: readonly MatmulVariant[] = [
  {
    name: 'broadcast',
    takes: (layout) => (layout === 'NT' ? 'NN' : layout),
    fits: broadcastFits,
    workgroupsWanted: cpuWorkgroups,
    text: broadcastText,
  },
  {
    name: 'register',
    takes: () => 'TN',
    fits: (caps, { epilogue }) => caps.software && epilogue !== 'rowSums',
    workgroupsWanted: cpuWorkgroups,
    text: (_caps, product) => registerText(product),
  },
  ...gpuVariants,
]

/**
 * Names of the variants that can run a product here, the fixed table's choice first. Empty only for the epilogue
 * `rowSums`, which not every variant has.
 */
export function matmulVariants(caps: KernelCaps, spec: MatmulSpec): readonly string[] {
  const fitting = variants.filter(({ fits, takes }) => fits(caps, { ...spec, layout: takes(spec.layout) }))
  const names = fitting.map(({ name }) => name)
  if (!caps.software && names.length > 0) {
    const first = gpuChoice(spec)
    return [first, ...names.filter((name) => name !== first)]
  }
  // The plain one serves where there is nothing better, and is not worth measuring elsewhere.
  return names.length > 1 ? names.filter((name) => name !== 'register') : names
}

/** The layout to which the operands of a product must be transposed for the variant. */
export function matmulLayout(variant: string, layout: MatmulLayout): MatmulLayout {
  return named(variant).takes(layout)
}

/** How many parts to cut k into: 1 unless C alone has too few tiles for the device. */
export function matmulSplits(caps: KernelCaps, spec: MatmulSpec, variant: string): number {
  if (spec.batch > 1 || spec.epilogue !== 'none') return 1
  const { workgroupsWanted, text } = named(variant)
  const { rows, columns } = text(caps, { ...spec, splits: 1 })
  const tiles = Math.ceil(spec.m / rows) * Math.ceil(spec.n / columns)
  const shortestPart = 64
  return Math.max(1, Math.min(Math.ceil(workgroupsWanted / tiles), Math.floor(spec.k / shortestPart)))
}

/**
 * The product as one kernel, in the layout that the variant takes. Bindings: a, b, then bias, residual or pre-activation, row sums
 * where the epilogue has them, c. With splits above 1, c is the workspace [splits, m, n].
 */
export function matmulKernel(caps: KernelCaps, product: MatmulProduct, variant: string): Kernel {
  return productKernel(product, named(variant).text(caps, product))
}

function named(name: string): MatmulVariant {
  const variant = variants.find((candidate) => candidate.name === name)
  if (!variant)
    throw new RangeError(
      `matmul: no variant ${name}; there are ${variants.map((known) => known.name).join(', ')}`,
    )
  return variant
}

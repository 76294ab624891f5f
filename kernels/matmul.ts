/**
 * Matrix products, the bulk of all arithmetic here: which variants there are and which of them run a product.
 *
 * Maths    C[z] = op(A[z]) · op(B[z]) for every z of the batch, then an epilogue (bias, GELU, …:
 *          `MatmulEpilogue`):
 *            NN  C = A·B     A [m,k]  B [k,n]     gradient of a linear's input,  dX = dY·W
 *            NT  C = A·Bᵀ    A [m,k]  B [n,k]     a linear forward,              Y = X·Wᵀ
 *            TN  C = Aᵀ·B    A [k,m]  B [k,n]     gradient of a linear's weight, dW = dYᵀ·X
 * Shapes   row-major, f32 or f16, C [batch,m,n]; any m, n, k ≥ 1. Sizes are uniforms.
 * Variants for GPUs those of matmulGpu.ts; for software adapters `broadcast` (matmulBroadcast.ts), and
 *          `register` for what it cannot run (matmulRegister.ts).
 * Split-K  where m·n gives too few workgroups to fill the device and k is long (weight gradients: k = batch ×
 *          tokens), k is cut into `splits` parts, C becomes a workspace [splits,m,n], and a column sum adds
 *          the parts in a fixed order.
 * Numerics f32 accumulators, k in ascending order in each part; the same shape on the same adapter gives the
 *          same bits.
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
  type MatmulVariant,
  productKernel,
} from './matmulShared.js'

/** How a product is computed here. */
export interface MatmulPlan {
  /** The kernel's layout: operands that lie otherwise are transposed before. */
  readonly layout: MatmulLayout
  /** Parts of k; above 1 the kernel's C is a workspace f32 [splits, m, n], whose parts are then added. */
  readonly splits: number
  /** Bindings: a, b, then bias, residual or pre-activation, row sums where the epilogue has them, c. */
  readonly kernel: Kernel
}

/** k is cut into parts no shorter than this. */
const SHORTEST_PART = 64

/** Cutting k for more would cost a second pass, and the row sums a pass of their own. */
const CPU_WORKGROUPS = 2

/**
 * The fixed table: on a CPU driver the first that fits is used where nothing was measured; for GPUs see
 * `gpuChoice`.
 */
const variants: readonly MatmulVariant[] = [
  {
    name: 'broadcast',
    takes: (layout) => (layout === 'NT' ? 'NN' : layout),
    fits: broadcastFits,
    workgroupsWanted: CPU_WORKGROUPS,
    text: broadcastText,
  },
  {
    name: 'register',
    takes: () => 'TN',
    fits: (caps, { epilogue }) => caps.software && epilogue !== 'rowSums',
    workgroupsWanted: CPU_WORKGROUPS,
    text: (_caps, product) => registerText(product),
  },
  ...gpuVariants,
]

/**
 * Names of the variants that can run a product here, the fixed table's choice first. Empty only for the
 * epilogue `rowSums`, which not every variant has.
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

/** How `variant`, one of `matmulVariants`, computes a product. */
export function matmulPlan(caps: KernelCaps, spec: MatmulSpec, variant: string): MatmulPlan {
  const { takes, text, workgroupsWanted } = named(variant)
  const whole: MatmulProduct = { ...spec, layout: takes(spec.layout), splits: 1 }
  const wholeText = text(caps, whole)
  const splits = splitsOf(spec, wholeText, workgroupsWanted)
  if (splits === 1) return { layout: whole.layout, splits, kernel: productKernel(whole, wholeText) }
  const cut: MatmulProduct = { ...whole, splits, stored: { ...spec.stored, c: 'f32' } }
  return { layout: whole.layout, splits, kernel: productKernel(cut, text(caps, cut)) }
}

/** How many parts to cut k into: 1 unless C alone has too few tiles for the device. */
function splitsOf(
  { batch, m, n, k, epilogue }: MatmulSpec,
  { rows, columns }: MatmulText,
  workgroupsWanted: number,
) {
  if (batch > 1 || epilogue !== 'none') return 1
  const tiles = Math.ceil(m / rows) * Math.ceil(n / columns)
  return Math.max(1, Math.min(Math.ceil(workgroupsWanted / tiles), Math.floor(k / SHORTEST_PART)))
}

function named(name: string): MatmulVariant {
  const variant = variants.find((candidate) => candidate.name === name)
  if (!variant)
    throw new RangeError(
      `matmul: no variant ${name}; there are ${variants.map((known) => known.name).join(', ')}`,
    )
  return variant
}

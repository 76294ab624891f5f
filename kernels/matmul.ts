/**
 * Matrix products, the bulk of all arithmetic here.
 *
 * Maths    C[z] = op(A[z]) · op(B[z]) for every z of the batch, and for a linear layer a bias and the exact GELU on top:
 *            NN  C = A·B     A [m,k]  B [k,n]     gradient of a linear's input,  dX = dY·W
 *            NT  C = A·Bᵀ    A [m,k]  B [n,k]     a linear forward,              Y = X·Wᵀ
 *            TN  C = Aᵀ·B    A [k,m]  B [k,n]     gradient of a linear's weight, dW = dYᵀ·X
 * Shapes   row-major f32, C [batch,m,n]; any m, n, k ≥ 1.
 * Variants `tiled` for GPUs (workgroup memory, matmulTiled.ts) and `register` for software adapters (register blocks only,
 *          matmulRegister.ts). Both have one text per layout, epilogue and alignment; shapes are uniforms.
 * Split-K  where m·n gives too few workgroups to fill the device and k is long (weight gradients: k = batch × tokens), k is cut
 *          into `splits` parts, C becomes a workspace [splits,m,n], and a column sum adds the parts in a fixed order.
 * Numerics f32 accumulators, k in ascending order in each part; the same shape on the same adapter gives the same bits.
 */
import { type Access, flatGrid, type Kernel, type KernelCaps } from './kernel.js'
import { registerCode, registerTile } from './matmulRegister.js'
import { tiledCode, tiledTile } from './matmulTiled.js'

export type MatmulLayout = 'NN' | 'NT' | 'TN'

/** `biasGelu` writes two outputs: the sum before the GELU, which the backward needs, and the activation. */
export type MatmulEpilogue = 'none' | 'bias' | 'biasGelu'

export interface MatmulSpec {
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
  readonly layout: MatmulLayout
  readonly epilogue: MatmulEpilogue
  /** Parts of k, from `matmulSplits`; above 1 only with batch 1 and no epilogue. */
  readonly splits: number
}

/** Rows and columns of C that one workgroup computes. */
export interface MatmulTile {
  readonly rows: number
  readonly columns: number
}

/**
 * The product as one kernel. Bindings: a, b, [bias [n] with an epilogue], [pre-activation C with `biasGelu`], c.
 * With splits above 1, c is the workspace [splits, m, n].
 * @throws Error for a layout other than `wantedLayout` on a software adapter.
 */
export function matmulKernel(caps: KernelCaps, spec: MatmulSpec): Kernel {
  const { batch, m, n, k, layout, epilogue, splits } = spec
  if (wantedLayout(caps, layout) !== layout) {
    throw new Error(`matmul: a software adapter wants layout TN, got ${layout}; transpose the operands first`)
  }
  const tile = matmulTile(caps, spec)
  const tilesM = Math.ceil(m / tile.rows)
  const tilesN = Math.ceil(n / tile.columns)
  const workgroups = tilesM * tilesN * batch * splits
  const vectorN = n % 4 === 0
  const vectorM = m % 4 === 0
  const variant = caps.software ? 'register' : 'tiled'
  const name = `matmul${layout}.${variant}${epilogue === 'none' ? '' : `.${epilogue}`}`
  const code = caps.software
    ? () => registerCode({ epilogue, vectorM, vectorN })
    : () => tiledCode(layout, epilogue, tile)
  return {
    name,
    key: caps.software ? `${name}/${vectorM}/${vectorN}` : `${name}/${tile.rows}`,
    bindings: bindingsOf(epilogue),
    params: [m, n, k, tilesM, tilesN, splits, Math.ceil(k / splits), workgroups],
    workgroups: flatGrid(workgroups, 1),
    cost: matmulCost(spec),
    code,
  }
}

/** How many parts to cut k into: 1 unless C alone has too few tiles for the device. */
export function matmulSplits(caps: KernelCaps, spec: Pick<MatmulSpec, 'batch' | 'm' | 'n' | 'k'>): number {
  if (spec.batch > 1) return 1
  const tile = matmulTile(caps, spec)
  const tiles = Math.ceil(spec.m / tile.rows) * Math.ceil(spec.n / tile.columns)
  const workgroupsWanted = caps.software ? 8 : 128
  const shortestPart = 64
  return Math.max(1, Math.min(Math.ceil(workgroupsWanted / tiles), Math.floor(spec.k / shortestPart)))
}

/**
 * The layout that a product should be brought to before it is run. The register variant takes both operands k-major only: it
 * reads A as vec4 along m and B as vec4 along n, and on a CPU that is worth a transposition of what lies otherwise
 * (1.2–1.8 × for the shapes of a ViT, the transposition included).
 */
export function wantedLayout(caps: KernelCaps, layout: MatmulLayout): MatmulLayout {
  return caps.software ? 'TN' : layout
}

function matmulTile(caps: KernelCaps, { batch, m, n }: Pick<MatmulSpec, 'batch' | 'm' | 'n'>): MatmulTile {
  return caps.software ? registerTile : tiledTile(batch, m, n)
}

function bindingsOf(epilogue: MatmulEpilogue): readonly Access[] {
  if (epilogue === 'none') return ['read', 'read', 'write']
  if (epilogue === 'bias') return ['read', 'read', 'read', 'write']
  return ['read', 'read', 'read', 'write', 'write']
}

function matmulCost({ batch, m, n, k, epilogue, splits }: MatmulSpec) {
  const outputs = batch * m * n * splits
  const epilogueFlops = { none: 0, bias: 1, biasGelu: 31 }[epilogue]
  const outputCopies = epilogue === 'biasGelu' ? 2 : 1
  return {
    flops: 2 * batch * m * n * k + epilogueFlops * outputs,
    bytes: 4 * (batch * k * (m + n) + outputCopies * outputs + (epilogue === 'none' ? 0 : n)),
  }
}

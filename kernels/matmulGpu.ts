/**
 * The matmul variants for GPUs as entries of the list in matmul.ts, and the fixed table among them.
 * docs/kernels-matmul.md tells what each is good for.
 */
import type { MatmulSpec, MatmulVariant } from './matmulShared.js'
import { subgroupFits, subgroupText } from './matmulSubgroup.js'
import { subgroupMatrixFits, subgroupMatrixText } from './matmulSubgroupMatrix.js'
import { type TiledVariant, tiledText, tiledTiles } from './matmulTiled.js'

/** So many threads fill a GPU; the workgroups of a variant follow. */
const THREADS_WANTED = 32768

const tiles = Object.keys(tiledTiles) as TiledVariant[]

/**
 * Sums of rows are left to a kernel of their own: with k in parts they would need a second pass too. Matrix
 * units come last, so that they run only where they were measured.
 */
export const gpuVariants: readonly MatmulVariant[] = [
  ...tiles.map((name): MatmulVariant => {
    const { threadRows, threadColumns } = tiledTiles[name]
    return {
      name,
      takes: (layout) => layout,
      fits: (caps, { epilogue }) => !caps.software && epilogue !== 'rowSums',
      workgroupsWanted: THREADS_WANTED / (threadRows * threadColumns),
      text: (_caps, product) => tiledText(name, product),
    }
  }),
  {
    name: 'subgroup',
    takes: (layout) => layout,
    fits: (caps, spec) => !caps.software && spec.epilogue !== 'rowSums' && subgroupFits(caps, spec),
    workgroupsWanted: THREADS_WANTED / 32,
    text: subgroupText,
  },
  {
    name: 'subgroupMatrix',
    takes: (layout) => layout,
    fits: (caps, spec) => !caps.software && spec.epilogue !== 'rowSums' && subgroupMatrixFits(caps, spec),
    workgroupsWanted: THREADS_WANTED / 256,
    text: (caps, product) => subgroupMatrixText(caps, product),
  },
]

/**
 * The fixed table: 64×64 where that gives a GPU enough workgroups, if need be by cutting k; else 32×32. A
 * 64×128 tile reads less of B, but with an epilogue its registers spill.
 */
export function gpuChoice({ batch, m, n, k, epilogue }: MatmulSpec): TiledVariant {
  const workgroups = batch * Math.ceil(m / 64) * Math.ceil(n / 64)
  const wanted = THREADS_WANTED / 256
  if (workgroups >= wanted) {
    return epilogue === 'none' && m >= 1024 && n >= 1024 ? 'tiled64x128' : 'tiled64x64'
  }
  const parts = batch === 1 && epilogue === 'none' ? Math.floor(k / 64) : 1
  return Math.min(m, n) > 32 && workgroups * parts >= wanted ? 'tiled64x64' : 'tiled32x32'
}

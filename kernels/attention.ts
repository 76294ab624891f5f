/**
 * What the attention kernels share: variants, how rows are cut into chunks, and the WGSL that finds rows in
 * qkv.
 *
 * Shapes   qkv [B,T,3D] as the qkv linear writes it: a row holds all queries, all keys, all values, each
 *          head-major (D = H·d, head h at h·d…h·d+d-1). Nothing is permuted or copied.
 * Chunks   a row of a head is read in chunks of 4, 2 or 1 features, the most that divide d. Buffers are
 *          arrays of chunks.
 * Mapping  a workgroup owns `rows` of the score matrix of one head of one sample: consecutive queries, or in
 *          the backward of keys and values consecutive keys. Its `columns`, the tokens of the other side,
 *          pass by in groups. Scores are made for a group, then what they weigh is added up.
 * Variants tiled     any adapter: attentionForward.ts, attentionBackward.ts.
 *          subgroup  CPU drivers, where invocations are SIMD lanes: attentionSubgroup.ts.
 *                    docs/kernels-attention.md says why.
 * Ragged   T and d need not divide by anything: rows past the end repeat the last token and are not stored;
 *          columns past the end get probability 0; chunks past the end repeat the last chunk and are not
 *          stored.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { f32, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { type StoredType, storedSuffix, storedWgsl } from './stored.js'

/** B samples, T tokens, H heads of d features each. */
export interface AttentionShape {
  readonly batch: number
  readonly tokens: number
  readonly heads: number
  readonly headDim: number
}

/** Largest head dim: the sums of a row live in registers. */
export const MAX_HEAD_DIM = 128

export type AttentionVariant = 'tiled' | 'subgroup'

/** Variants that the adapter can run, the fixed table's choice first. */
export function attentionVariants(caps: KernelCaps): readonly AttentionVariant[] {
  if (!fixedSubgroupSize(caps)) return ['tiled']
  return caps.software ? ['subgroup'] : ['tiled', 'subgroup']
}

/**
 * The one size of all subgroups, or 0 if there are none or several sizes. A workgroup of the subgroup variant
 * is one subgroup.
 */
export function fixedSubgroupSize({ subgroups, subgroupMinSize = 0, subgroupMaxSize = 0 }: KernelCaps) {
  const usable = subgroups && subgroupMinSize === subgroupMaxSize && subgroupMaxSize <= 64
  return usable ? subgroupMaxSize : 0
}

/** How a kernel is laid out; everything here is baked into the text. */
export interface AttentionPlan {
  readonly variant: AttentionVariant
  readonly stored: StoredType
  /** Features of a chunk. */
  readonly width: 1 | 2 | 4
  /** Invocations that hold the chunks of one row. */
  readonly lanes: number
  /** Chunks of a row that one invocation holds. */
  readonly slots: number
  /** Tokens that a workgroup owns. */
  readonly rows: number
  /** Columns whose scores are made together. */
  readonly columns: number
}

/** The parts of a kernel that follow from its plan and shape. */
export function planKernel(
  family: string,
  plan: AttentionPlan,
  shape: AttentionShape,
): Pick<Kernel, 'name' | 'key' | 'params' | 'workgroups'> {
  const { batch, tokens, heads, headDim } = shape
  const { variant, width, lanes, slots, rows, columns } = plan
  const rowBlocks = Math.ceil(tokens / rows)
  const blocks = batch * heads * rowBlocks
  const name = `${family}.${variant}${storedSuffix(plan.stored)}`
  return {
    name,
    key: [name, width, lanes, slots, rows, columns].join('/'),
    params: [tokens, heads, rowBlocks, blocks, headDim / width, f32(1 / Math.sqrt(headDim))],
    workgroups: flatGrid(blocks, 1),
  }
}

/** The most features, at most `most`, in which a row of `headDim` can be cut. */
export function chunkWidth(headDim: number, most: 1 | 2 | 4): 1 | 2 | 4 {
  if (most === 4 && headDim % 4 === 0) return 4
  return most >= 2 && headDim % 2 === 0 ? 2 : 1
}

/**
 * The type of a chunk in buffers that are read. A CPU driver pays for every element of a load, whatever its
 * size: there the halves of f16 are loaded in pairs.
 */
export function loadedChunk({ variant, stored, width }: AttentionPlan): string {
  if (variant === 'subgroup' && stored === 'f16' && width > 1) return width === 4 ? 'vec2u' : 'u32'
  return 'StoredChunk'
}

/** WGSL `load…(i)`: chunk i of a buffer, in f32. */
export function loaders(plan: AttentionPlan, buffers: Readonly<Record<string, string>>): string {
  const widened = {
    vec2u: 'vec4f(unpack2x16float(loaded.x), unpack2x16float(loaded.y))',
    u32: 'unpack2x16float(loaded)',
  }
  const chunk = widened[loadedChunk(plan) as keyof typeof widened] ?? 'Chunk(loaded)'
  return Object.entries(buffers)
    .map(([name, buffer]) => `fn ${name}(i: u32) -> Chunk { let loaded = ${buffer}[i]; return ${chunk}; }\n`)
    .join('')
}

/** Types, constants, parameters and the places of rows in buffers; every attention kernel starts with it. */
export function attentionPrelude({ variant, stored, width, rows, columns }: AttentionPlan): string {
  const [chunk, storedChunk] = width === 1 ? ['f32', stored] : [`vec${width}f`, `vec${width}<${stored}>`]
  return wgsl`
#if ${variant === 'subgroup'}
enable subgroups;
#endif
${storedWgsl(stored)}
alias Chunk = ${chunk};
alias StoredChunk = ${storedChunk};

struct Params {
  tokens: u32,
  heads: u32,
  rowBlocks: u32,
  blocks: u32,
  chunks: u32,
  scoreScale: f32,
}

// Tokens that a workgroup owns, and those of the other side whose scores it makes together.
const rows = ${rows}u;
const columns = ${columns}u;

// Scores are kept in units of log2, so that exp2 gives probabilities: 2^(s·log2 e) = e^s.
const log2e = 1.4426950408889634;
// Score of a token that does not exist; finite, because inf - inf would be NaN.
const lowest = -1e30;

// sum + a·b.
fn dotAdd(a: Chunk, b: Chunk, sum: f32) -> f32 {
#if ${width === 4}
  return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
#elif ${width === 2}
  return fma(a.x, b.x, fma(a.y, b.y, sum));
#else
  return fma(a, b, sum);
#endif
}

${flatWorkgroupWgsl}

// Which tokens a workgroup owns: rows of them from firstRow on.
struct Block {
  sample: u32,
  head: u32,
  firstRow: u32,
}

fn blockAt(index: u32) -> Block {
  let sampleHead = index / params.rowBlocks;
  return Block(sampleHead / params.heads, sampleHead % params.heads, (index % params.rowBlocks) * rows);
}

// Where a token's query, key and value start in qkv (or dqkv), and its row in the output (or dO), in chunks.
fn queryStart(block: Block, token: u32) -> u32 {
  return ((block.sample * params.tokens + token) * 3u * params.heads + block.head) * params.chunks;
}
fn keyStart(block: Block, token: u32) -> u32 {
  return queryStart(block, token) + params.heads * params.chunks;
}
fn valueStart(block: Block, token: u32) -> u32 {
  return queryStart(block, token) + 2u * params.heads * params.chunks;
}
fn outStart(block: Block, token: u32) -> u32 {
  return ((block.sample * params.tokens + token) * params.heads + block.head) * params.chunks;
}
// Where a token's number lies in an array [B,H,T].
fn perToken(block: Block, token: u32) -> u32 {
  return (block.sample * params.heads + block.head) * params.tokens + token;
}
`
}

/**
 * What the attention kernels share: how invocations map to tokens, and the WGSL that finds rows in qkv.
 *
 * Shapes   qkv [B,T,3D] as the qkv linear writes it: a row holds all queries, all keys, all values, each head-major
 *          (D = H·d, head h at h·d…h·d+d-1). Nothing is permuted or copied.
 * Mapping  a workgroup owns `rows` consecutive tokens of one head of one sample, one invocation per token. What a token
 *          owns (its query, or its key and value) stays in registers; the tokens of the other side pass by in chunks.
 * Variants tiled     any adapter. The other side comes through a tile in workgroup memory, loaded by all invocations.
 *          subgroup  CPU drivers, where invocations are SIMD lanes, barriers are dear and a load from the same address in
 *                    every lane costs as much as a gather: a workgroup is one subgroup, each lane loads the row of one
 *                    token of the chunk, and subgroupShuffle hands the vectors round. Wants a fixed subgroup size.
 * Ragged   T need not divide by anything: rows past the end repeat the last token and are not stored; tokens past the end
 *          get probability 0. If d does not divide by 4, loads are scalar and the last vector is filled up with zeros.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { f32, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'

/** B samples, T tokens, H heads of d features each. */
export interface AttentionShape {
  readonly batch: number
  readonly tokens: number
  readonly heads: number
  readonly headDim: number
}

/** Subgroup facts, where the adapter offers them; without them the tiled variant serves. */
export interface AttentionCaps extends KernelCaps {
  readonly subgroups?: boolean
  readonly subgroupMinSize?: number
  readonly subgroupMaxSize?: number
}

/** Largest head dim: four rows of it per invocation live in registers. */
export const maxHeadDim = 128

/** How a kernel is laid out; everything here is baked into the text. */
export interface AttentionPlan {
  readonly variant: 'tiled' | 'subgroup'
  readonly tiled: boolean
  /** Loops over vectors stay loops: see `vectorCount`. */
  readonly rolled: boolean
  /** Invocations of a workgroup, hence tokens it owns. */
  readonly rows: number
  /** Tokens of the other side that are fetched together, a multiple of `chunk`. */
  readonly tile: number
  /** Tokens whose scores are in registers at a time. */
  readonly chunk: number
  /** Head dim divides by 4: buffers are read as vec4f. */
  readonly aligned: boolean
  /** Length of the arrays that hold one row of a head, in vec4s. */
  readonly vectors: number
}

const tileBytes = 16384

/** Chooses the variant. A tile holds two rows (key and value, or query and dO) per token. */
export function attentionPlan(caps: AttentionCaps, { tokens, headDim }: AttentionShape): AttentionPlan {
  const rolled = caps.software
  const aligned = headDim % 4 === 0
  const vectors = Math.ceil(headDim / 4)
  const lanes = fixedSubgroupSize(caps)
  if (caps.software && lanes > 0) {
    // Loops end at params.vectors, so one pipeline serves all head dims up to the next power of two.
    const capacity = Math.max(4, 2 ** Math.ceil(Math.log2(vectors)))
    const sizes = { rows: lanes, tile: lanes, chunk: lanes, vectors: capacity }
    return { variant: 'subgroup', tiled: false, rolled, aligned, ...sizes }
  }
  const fits = Math.floor(tileBytes / (2 * 16 * vectors))
  const tile = Math.min(32, fits - (fits % 4))
  const sizes = { rows: tokens <= 32 ? 32 : 64, tile, chunk: 4, vectors }
  return { variant: 'tiled', tiled: true, rolled, aligned, ...sizes }
}

function fixedSubgroupSize({ subgroups, subgroupMinSize = 0, subgroupMaxSize = 0 }: AttentionCaps): number {
  return subgroups && subgroupMinSize === subgroupMaxSize && subgroupMaxSize <= 16 ? subgroupMaxSize : 0
}

/** The parts of a kernel that follow from its plan and shape. */
export function planKernel(
  family: string,
  plan: AttentionPlan,
  shape: AttentionShape,
): Pick<Kernel, 'name' | 'key' | 'params' | 'workgroups'> {
  const { batch, tokens, heads, headDim } = shape
  const rowBlocks = Math.ceil(tokens / plan.rows)
  const blocks = batch * heads * rowBlocks
  const loops = plan.rolled ? 'rolled' : 'unrolled'
  return {
    name: `${family}.${plan.variant}`,
    key: `${family}/${plan.variant}/${loops}/${rowType(plan)}/${plan.vectors}/${plan.rows}`,
    params: [tokens, heads, rowBlocks, blocks, headDim, Math.ceil(headDim / 4), f32(1 / Math.sqrt(headDim))],
    workgroups: flatGrid(blocks, 1),
  }
}

/** The element type of storage buffers that hold rows of features. */
export function rowType(plan: AttentionPlan): 'vec4f' | 'f32' {
  return plan.aligned ? 'vec4f' : 'f32'
}

/**
 * WGSL `name(start, i)`: vector i of the head's row that starts at element `start` of `buffer`. Features past the head
 * dim read as 0.
 */
export function rowLoader(plan: AttentionPlan, name: string, buffer: string): string {
  return wgsl`
#if ${plan.aligned}
fn ${name}(start: u32, i: u32) -> vec4f {
  return ${buffer}[start + i];
}
#else
fn ${name}(start: u32, i: u32) -> vec4f {
  var row = vec4f();
  for (var c = 0u; c < 4u && 4u * i + c < params.headDim; c++) {
    row[c] = ${buffer}[start + 4u * i + c];
  }
  return row;
}
#endif
`
}

/** WGSL `name(start, i, row)`: the counterpart of `rowLoader`. */
export function rowStorer(plan: AttentionPlan, name: string, buffer: string): string {
  return wgsl`
#if ${plan.aligned}
fn ${name}(start: u32, i: u32, row: vec4f) {
  ${buffer}[start + i] = row;
}
#else
fn ${name}(start: u32, i: u32, row: vec4f) {
  for (var c = 0u; c < 4u && 4u * i + c < params.headDim; c++) {
    ${buffer}[start + 4u * i + c] = row[c];
  }
}
#endif
`
}

/** The entry point's parameters: \`workgroup\`, \`workgroups\` and \`lane\`, the row this invocation owns. */
export function mainParameters(plan: AttentionPlan): string {
  return `
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(${plan.tiled ? 'local_invocation_index' : 'subgroup_invocation_id'}) lane: u32,
`
}

/** Constants, parameters and the places of rows in buffers; every attention kernel starts with it. */
export function attentionPrelude(plan: AttentionPlan): string {
  return wgsl`
#if ${!plan.tiled}
enable subgroups;
#endif

struct Params {
  tokens: u32,
  heads: u32,
  rowBlocks: u32,
  blocks: u32,
  headDim: u32,
  vectors: u32,
  scoreScale: f32,
}

const rows = ${plan.rows}u;
const tile = ${plan.tile}u;
const chunk = ${plan.chunk}u;
// Length of the arrays that hold a row.
const vectors = ${plan.vectors}u;

// Scores are kept in units of log2, so that exp2 gives probabilities: 2^(s·log2 e) = e^s.
const log2e = 1.4426950408889634;
// Score of a token that does not exist; finite, because inf - inf would be NaN.
const lowest = -1e30;

// Bound of every loop over a row's vectors. CPU drivers spend seconds on compiling such loops unrolled, and what comes out
// is no faster; a bound they cannot see keeps the loops. GPUs must see it, to keep the arrays in registers.
fn vectorCount() -> u32 {
#if ${plan.rolled}
  return params.vectors;
#else
  return vectors;
#endif
}

// Buffer elements per row of a head: vec4s, or scalars where the head dim does not divide by 4.
fn headElements() -> u32 {
#if ${plan.aligned}
  return vectorCount();
#else
  return params.headDim;
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

// Where a token's query, key and value start in qkv (or dqkv), and its row in the output (or dO).
fn queryStart(block: Block, token: u32) -> u32 {
  return ((block.sample * params.tokens + token) * 3u * params.heads + block.head) * headElements();
}
fn keyStart(block: Block, token: u32) -> u32 {
  return queryStart(block, token) + params.heads * headElements();
}
fn valueStart(block: Block, token: u32) -> u32 {
  return queryStart(block, token) + 2u * params.heads * headElements();
}
fn outStart(block: Block, token: u32) -> u32 {
  return ((block.sample * params.tokens + token) * params.heads + block.head) * headElements();
}
// Where a token's number lies in an array [B,H,T].
fn perToken(block: Block, token: u32) -> u32 {
  return (block.sample * params.heads + block.head) * params.tokens + token;
}
`
}

/**
 * Attention for CPU drivers, where a subgroup is one SIMD vector, loads are gathers paid by the element,
 * every assignment to a variable of a loop is a masked store, and workgroup memory and barriers are slow.
 * Maths: attentionForward.ts, attentionBackward.ts.
 *
 * Mapping  a workgroup is one subgroup and owns up to 17 rows (17 = 16 patches and the class token; 50, 65
 *          and 197 divide by it with little left over). Two ways of using lanes alternate:
 *          scores  a lane has one column (a key, say). Lanes load the rows too, one row each, and
 *                  subgroupShuffle hands them round;
 *                  an element of a row is multiplied with `groups` vectors of columns. No sums across lanes.
 *          sums    a lane has some chunks of every row's sum (of the output, say): one column after the other
 *                  is loaded across the lanes, multiplied with its probability in each row, which is shuffled
 *                  out of the lane that has it, and added.
 * Memory   registers only: rows × groups scores (twice in backward), rows × slots chunks of sums (twice for
 *          keys).
 * Numerics f32. Sums over columns are serial; online softmax keeps maxima per row, and totals per row and
 *          lane until the end.
 * Compile  in proportion to the text, most for loads and stores: loops over chunks and columns stay loops,
 *          finished rows are moved up to row 0 and stored from there.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import {
  type AttentionPlan,
  type AttentionShape,
  attentionPrelude,
  chunkWidth,
  fixedSubgroupSize,
  loadedChunk,
  loaders,
} from './attention.js'
import {
  columnsOfLane,
  counts,
  each,
  entryPoint,
  owned,
  productsWgsl,
  storeChunks,
  storeRows,
  sumsStart,
  sumsWgsl,
} from './attentionSubgroupParts.js'
import type { KernelCaps } from './kernel.js'
import type { StoredType } from './stored.js'

/**
 * Features of all rows' sums that a lane may have: 17 rows of d = 64 for keys. More would not compile in
 * time.
 */
const FEATURES_PER_LANE = 272
const MOST_ROWS = 17

/** Lays out a kernel that keeps `sums` sums per row. */
export function subgroupPlan(
  caps: KernelCaps,
  { tokens, headDim }: AttentionShape,
  sums: number,
  stored: StoredType,
): AttentionPlan {
  const lanes = fixedSubgroupSize(caps)
  const width = chunkWidth(headDim, headDim > 2 * lanes ? 4 : 2)
  const slots = Math.ceil(headDim / (width * lanes))
  const fitting = Math.max(1, Math.min(MOST_ROWS, Math.floor(FEATURES_PER_LANE / (sums * width * slots))))
  const few = tokens <= lanes
  const rows = few ? Math.min(fitting, lanes) : fitting
  // Keys of wide heads: a third group costs a fifth more to compile and wins nothing.
  const groups = sums > 1 && slots > 1 ? 2 : 3
  const columns = few ? lanes : groups * lanes
  return { variant: 'subgroup', stored, width, lanes, slots, rows, columns }
}

/** Maximum and sum over all lanes, in every lane: a butterfly. */
function acrossLanes({ lanes }: AttentionPlan): string {
  const steps = Math.log2(lanes)
  return wgsl`
fn maxOverLanes(value: f32) -> f32 {
  var x = value;
  ${each(steps, (s) => `x = max(x, subgroupShuffleXor(x, ${2 ** s}u));`)}
  return x;
}
fn sumOverLanes(value: f32) -> f32 {
  var x = value;
  ${each(steps, (s) => `x += subgroupShuffleXor(x, ${2 ** s}u);`)}
  return x;
}
`
}

/**
 * Online softmax, first half: scales the scores in s, and what was summed up so far to the row's new largest
 * score.
 */
function rescaleRow({ slots }: AttentionPlan, groups: number, r: number): string {
  const all = (text: (g: number) => string) => Array.from({ length: groups }, (_, g) => text(g))
  const largestOfLane = all((g) => `s${r}_${g}`).reduce((a, b) => `max(${a}, ${b})`)
  return `
    ${all((g) => `s${r}_${g} = select(lowest, scale * s${r}_${g}, exists${g});`).join('\n')}
    let largest${r}New = max(largest${r}, maxOverLanes(${largestOfLane}));
    let shrink${r} = exp2(largest${r} - largest${r}New);
    largest${r} = largest${r}New;
    total${r} *= shrink${r};
    ${each(slots, (s) => `sum${r}_${s} *= shrink${r};`)}`
}

export function forwardSubgroup(plan: AttentionPlan): string {
  const { rows, groups } = counts(plan)
  // s becomes P, relative to the row's largest score so far.
  const probability = (r: number) => `s${r}_0 = exp2(s${r}_0 - largest${r}); total${r} += s${r}_0;`
  const scores = { name: 's', load: 'loadQkv', row: 'queryStart', loadColumn: 'loadQkv', column: 'keyStart' }
  const sums = { name: 'sum', weight: 's', load: 'loadQkv', start: 'valueStart' }
  // Written out: in the loop that backward has, forward would take up to a tenth longer.
  const storeChunk = (s: number) =>
    `if (lane + ${s * plan.lanes}u < params.chunks) { out[outStart(block, row) + chunk${s}] = StoredChunk(sum0_${s} / total); }`
  const store = wgsl`
    let total = sumOverLanes(total0);
    ${each(plan.slots, storeChunk)}
    if (lane == 0u) { logSumExp[perToken(block, row)] = (largest0 + log2(total)) / log2e; }
`
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<${loadedChunk(plan)}>;
@group(0) @binding(1) var<storage, read_write> out: array<StoredChunk>;
@group(0) @binding(2) var<storage, read_write> logSumExp: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
${loaders(plan, { loadQkv: 'qkv' })}
${acrossLanes(plan)}
@compute @workgroup_size(${plan.lanes})
${entryPoint}
  ${owned(plan)}
  let scale = params.scoreScale * log2e;
  ${sumsStart(plan, ['sum'])}
  ${each(rows, (r) => `var largest${r} = lowest; var total${r} = 0.0;`)}
  for (var first = 0u; first < params.tokens; first += columns) {
    ${columnsOfLane(plan)}
    ${productsWgsl(plan, [scores])}
    ${each(rows, (r) => rescaleRow(plan, groups, r))}
    ${sumsWgsl(plan, ['s'], each(rows, probability), [sums])}
  }
  ${storeRows(plan, ['sum'], ['total', 'largest'], store)}
}
`
}

export function backwardQueriesSubgroup(plan: AttentionPlan): string {
  const { rows, lanes, rowVectors } = counts(plan)
  const products = [
    { name: 's', load: 'loadQkv', row: 'queryStart', loadColumn: 'loadQkv', column: 'keyStart' },
    { name: 'dP', load: 'loadDOut', row: 'outStart', loadColumn: 'loadQkv', column: 'valueStart' },
  ]
  // s becomes dS.
  const scoreGradient = (r: number) => `{
      let rowLogSumExp = log2e * subgroupShuffle(logSumExp${Math.floor(r / lanes)}, ${r % lanes}u);
      let rowDelta = subgroupShuffle(delta${Math.floor(r / lanes)}, ${r % lanes}u);
      s${r}_0 = select(0.0, exp2(scale * s${r}_0 - rowLogSumExp) * (dP${r}_0 - rowDelta), exists);
    }`
  const store = storeChunks(plan, 'dqkv', 'queryStart', 'dQuery', 'params.scoreScale * dQuery0_0')
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<${loadedChunk(plan)}>;
@group(0) @binding(1) var<storage, read> out: array<${loadedChunk(plan)}>;
@group(0) @binding(2) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(3) var<storage, read> dOut: array<${loadedChunk(plan)}>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<StoredChunk>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;
${loaders(plan, { loadQkv: 'qkv', loadOut: 'out', loadDOut: 'dOut' })}
@compute @workgroup_size(${lanes})
${entryPoint}
  ${owned(plan)}
  let scale = params.scoreScale * log2e;
  ${each(rowVectors, (v) => `var logSumExp${v} = 0.0; var delta${v} = 0.0;`)}
  // Vectors of rows move down by one, and the last is loaded.
  for (var start = block.firstRow; start < block.firstRow + rows; start += ${lanes}u) {
    ${each(rowVectors - 1, (v) => `logSumExp${v} = logSumExp${v + 1}; delta${v} = delta${v + 1};`)}
    let token = start + lane;
    let row = min(token, lastToken);
    let rowOut = outStart(block, row);
    var sum = 0.0;
    for (var i = 0u; i < params.chunks; i++) { sum = dotAdd(loadOut(rowOut + i), loadDOut(rowOut + i), sum); }
    logSumExp${rowVectors - 1} = logSumExp[perToken(block, row)];
    delta${rowVectors - 1} = sum;
    if (token < endRow) { delta[perToken(block, row)] = sum; }
  }
  ${sumsStart(plan, ['dQuery'])}
  for (var first = 0u; first < params.tokens; first += columns) {
    ${columnsOfLane(plan)}
    ${productsWgsl(plan, products)}
    ${sumsWgsl(plan, ['s', 'dP'], each(rows, scoreGradient), [{ name: 'dQuery', weight: 's', load: 'loadQkv', start: 'keyStart' }])}
  }
  ${storeRows(plan, ['dQuery'], [], store)}
}
`
}

export function backwardKeysSubgroup(plan: AttentionPlan): string {
  const { rows, lanes } = counts(plan)
  const products = [
    { name: 's', load: 'loadQkv', row: 'keyStart', loadColumn: 'loadQkv', column: 'queryStart' },
    { name: 'dP', load: 'loadQkv', row: 'valueStart', loadColumn: 'loadDOut', column: 'outStart' },
  ]
  // s becomes P, dP becomes dS.
  const weigh = wgsl`
      let at = perToken(block, min(group + lane, lastToken));
      let columnLogSumExp = log2e * logSumExp[at];
      let columnDelta = delta[at];
      ${each(
        rows,
        (r) => `
      s${r}_0 = select(0.0, exp2(scale * s${r}_0 - columnLogSumExp), exists);
      dP${r}_0 = s${r}_0 * (dP${r}_0 - columnDelta);`,
      )}
`
  const sums = [
    { name: 'dKey', weight: 'dP', load: 'loadQkv', start: 'queryStart' },
    { name: 'dValue', weight: 's', load: 'loadDOut', start: 'outStart' },
  ]
  const store = wgsl`
    ${storeChunks(plan, 'dqkv', 'keyStart', 'dKey', 'params.scoreScale * dKey0_0')}
    ${storeChunks(plan, 'dqkv', 'valueStart', 'dValue', 'dValue0_0')}
`
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<${loadedChunk(plan)}>;
@group(0) @binding(1) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(2) var<storage, read> dOut: array<${loadedChunk(plan)}>;
@group(0) @binding(3) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<StoredChunk>;
@group(0) @binding(5) var<uniform> params: Params;
${loaders(plan, { loadQkv: 'qkv', loadDOut: 'dOut' })}
@compute @workgroup_size(${lanes})
${entryPoint}
  ${owned(plan)}
  let scale = params.scoreScale * log2e;
  ${sumsStart(plan, ['dKey', 'dValue'])}
  for (var first = 0u; first < params.tokens; first += columns) {
    ${columnsOfLane(plan)}
    ${productsWgsl(plan, products)}
    ${sumsWgsl(plan, ['s', 'dP'], weigh, sums)}
  }
  ${storeRows(plan, ['dKey', 'dValue'], [], store)}
}
`
}

/**
 * Attention for CPU drivers, where a subgroup is one SIMD vector, loads are gathers paid by the element, every assignment to a
 * variable of a loop is a masked store, and workgroup memory and barriers are slow. Maths: attentionForward.ts, attentionBackward.ts.
 *
 * Mapping  a workgroup is one subgroup and owns up to 17 rows (17 = 16 patches and the class token; 50, 65 and 197 divide by it with
 *          little left over). Two ways of using lanes alternate:
 *          scores  a lane has one other (a key, say). Lanes load the rows too, one row each, and subgroupShuffle hands them round;
 *                  an element of a row is multiplied with `groups` vectors of others. No sums across lanes.
 *          sums    a lane has some pieces of every row's sum (of the output, say): one other after the other is loaded across the lanes,
 *                  multiplied with its probability in each row, which is shuffled out of the lane that has it, and added.
 * Memory   registers only: rows × groups scores (twice in backward), rows × slots pieces of sums (twice for keys).
 * Numerics f32. Sums over others are serial; online softmax keeps maxima per row, and totals per row and lane until the end.
 * Compile  in proportion to the text, most for loads and stores: loops over pieces and others stay loops, finished rows are
 *          moved up to row 0 and stored from there.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import {
  type AttentionPlan,
  type AttentionShape,
  attentionPrelude,
  fixedSubgroupSize,
  loadedPiece,
  loaders,
  pieceWidth,
} from './attention.js'
import type { KernelCaps } from './kernel.js'
import type { StoredType } from './stored.js'

/** Features of all rows' sums that a lane may have: 17 rows of d = 64 for keys. More would not compile in time. */
const featuresPerLane = 272
const mostRows = 17

/** Lays out a kernel that keeps `sums` sums per row. */
export function subgroupPlan(
  caps: KernelCaps,
  { tokens, headDim }: AttentionShape,
  sums: number,
  stored: StoredType,
): AttentionPlan {
  const lanes = fixedSubgroupSize(caps)
  const width = pieceWidth(headDim, headDim > 2 * lanes ? 4 : 2)
  const slots = Math.ceil(headDim / (width * lanes))
  const fitting = Math.max(1, Math.min(mostRows, Math.floor(featuresPerLane / (sums * width * slots))))
  const few = tokens <= lanes
  const rows = few ? Math.min(fitting, lanes) : fitting
  // Keys of wide heads: a third group costs a fifth more to compile and wins nothing.
  const groups = sums > 1 && slots > 1 ? 2 : 3
  const others = few ? lanes : groups * lanes
  return { variant: 'subgroup', stored, width, lanes, slots, rows, others }
}

/** `text(0)`, `text(1)`, … each on a line of its own. */
function each(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join('\n')
}

/** The counts that the texts below loop over. */
function counts({ rows, others, lanes, slots }: AttentionPlan) {
  return { rows, slots, lanes, groups: others / lanes, rowVectors: Math.ceil(rows / lanes) }
}

const entryPoint = `
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blockIndex = flatWorkgroup(workgroup, workgroups);
  if (blockIndex >= params.blocks) { return; }
  let block = blockAt(blockIndex);
  let lastToken = params.tokens - 1u;
  let endRow = min(block.firstRow + rows, params.tokens);
`

/** Which pieces this lane has of every sum: piece0, piece1, … */
function owned({ slots, lanes }: AttentionPlan): string {
  return each(slots, (s) => `let piece${s} = min(lane + ${s * lanes}u, params.pieces - 1u);`)
}

/** The others of this lane from \`first\` on: other0, other1, … and whether they exist. */
function othersOfLane(plan: AttentionPlan): string {
  const { lanes, groups } = counts(plan)
  return each(
    groups,
    (g) => `
    let token${g} = first + ${g * lanes}u + lane;
    let exists${g} = token${g} < params.tokens;
    let other${g} = min(token${g}, lastToken);`,
  )
}

/** A product of every row with every other: what it is called, and how both are loaded. */
interface Product {
  readonly name: string
  readonly load: string
  readonly row: string
  readonly loadOther: string
  readonly other: string
}

/** WGSL that makes the products: \`name3_1\` is row 3 with group 1's other of this lane. Lanes without a row or an other load nothing. */
function productsWgsl(plan: AttentionPlan, products: readonly Product[]): string {
  const { rows, lanes, groups, rowVectors } = counts(plan)
  const starts = ({ name, other }: Product) =>
    each(groups, (g) => `let ${name}Other${g} = ${other}(block, other${g});`)
  const noRows = ({ name }: Product) => each(rowVectors, (v) => `var ${name}R${v} = Piece();`)
  // Vectors of rows move down by one, and the last is loaded.
  const loadRows = ({ name, load, row }: Product) =>
    `${each(rowVectors - 1, (v) => `${name}R${v} = ${name}R${v + 1};`)}
        ${name}R${rowVectors - 1} = Piece();
        if (token < endRow) { ${name}R${rowVectors - 1} = ${load}(${row}(block, token) + i); }`
  const loadOthers = ({ name, loadOther }: Product) =>
    each(
      groups,
      (g) =>
        `var ${name}O${g} = Piece(); if (exists${g}) { ${name}O${g} = ${loadOther}(${name}Other${g} + i); }`,
    )
  const row = ({ name }: Product, r: number) =>
    `{ let x = subgroupShuffle(${name}R${Math.floor(r / lanes)}, ${r % lanes}u);
        ${each(groups, (g) => `${name}${r}_${g} = dotAdd(x, ${name}O${g}, ${name}${r}_${g});`)} }`
  return wgsl`
    ${products.map(starts).join('\n')}
    ${products.map(({ name }) => each(rows, (r) => each(groups, (g) => `var ${name}${r}_${g} = 0.0;`))).join('\n')}
    for (var i = 0u; i < params.pieces; i++) {
      ${products.map(noRows).join('\n')}
      for (var start = block.firstRow; start < block.firstRow + rows; start += ${lanes}u) {
        let token = start + lane;
        ${products.map(loadRows).join('\n')}
      }
      ${products.map(loadOthers).join('\n')}
      ${products.map((product) => each(rows, (r) => row(product, r))).join('\n')}
    }
`
}

/** A sum per row: what it is called, the weights, and how the others are loaded. */
interface WeightedSum {
  readonly name: string
  readonly weight: string
  readonly load: string
  readonly start: string
}

function sumsStart(plan: AttentionPlan, sums: readonly string[]): string {
  const { rows, slots } = counts(plan)
  return sums
    .map((name) => each(rows, (r) => each(slots, (s) => `var ${name}${r}_${s} = Piece();`)))
    .join('\n')
}

/**
 * WGSL that adds weight · other to every sum, for the others from \`first\` on, a group after the other. The group at hand is always number 0:
 * \`weigh\` makes its weights of its products, whose names are \`products\`, and then the next group moves up.
 */
function sumsWgsl(
  plan: AttentionPlan,
  products: readonly string[],
  weigh: string,
  sums: readonly WeightedSum[],
): string {
  const { rows, slots, lanes, groups } = counts(plan)
  const load = ({ name, load, start }: WeightedSum) =>
    `let ${name}Start = ${start}(block, other);
        ${each(slots, (s) => `let ${name}Piece${s} = ${load}(${name}Start + piece${s});`)}`
  const add = ({ name, weight }: WeightedSum, r: number) =>
    `{ let weight = subgroupShuffle(${weight}${r}_0, j);
        ${each(slots, (s) => `${name}${r}_${s} += weight * ${name}Piece${s};`)} }`
  const next = (name: string) =>
    each(rows, (r) => each(groups - 1, (g) => `${name}${r}_${g} = ${name}${r}_${g + 1};`))
  return wgsl`
    let end = min(first + others, params.tokens);
    for (var group = first; group < end; group += ${lanes}u) {
      let exists = group + lane < params.tokens;
      ${weigh}
      for (var j = 0u; j < min(${lanes}u, end - group); j++) {
        let other = group + j;
        ${sums.map(load).join('\n')}
        ${sums.map((sum) => each(rows, (r) => add(sum, r))).join('\n')}
      }
      ${products.map(next).join('\n')}
    }
`
}

/** WGSL that runs \`store\` for each row, with its sums in \`name0_0\`, \`name0_1\`, …; \`moved\` are more variables of the row. */
function storeRows(
  plan: AttentionPlan,
  names: readonly string[],
  moved: readonly string[],
  store: string,
): string {
  const { rows, slots } = counts(plan)
  const up = (r: number) =>
    [
      ...moved.map((name) => `${name}${r} = ${name}${r + 1};`),
      ...names.map((name) => each(slots, (s) => `${name}${r}_${s} = ${name}${r + 1}_${s};`)),
    ].join('\n')
  return wgsl`
  for (var row = block.firstRow; row < endRow; row++) {
    ${store}
    ${each(rows - 1, up)}
  }
`
}

/** WGSL that stores this lane's pieces of row 0's sum: the piece at hand moves down to slot 0, where \`value\` takes it. */
function storePieces(plan: AttentionPlan, buffer: string, start: string, name: string, value: string) {
  const { slots, lanes } = counts(plan)
  return wgsl`
    for (var piece = lane; piece < params.pieces; piece += ${lanes}u) {
      ${buffer}[${start}(block, row) + piece] = StoredPiece(${value});
      ${each(slots - 1, (s) => `${name}0_${s} = ${name}0_${s + 1};`)}
    }
`
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

/** Online softmax, first half: scales the scores in s, and what was summed up so far to the row's new largest score. */
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
  const scores = { name: 's', load: 'loadQkv', row: 'queryStart', loadOther: 'loadQkv', other: 'keyStart' }
  const sums = { name: 'sum', weight: 's', load: 'loadQkv', start: 'valueStart' }
  // Written out: in the loop that backward has, forward would take up to a tenth longer.
  const storePiece = (s: number) =>
    `if (lane + ${s * plan.lanes}u < params.pieces) { out[outStart(block, row) + piece${s}] = StoredPiece(sum0_${s} / total); }`
  const store = wgsl`
    let total = sumOverLanes(total0);
    ${each(plan.slots, storePiece)}
    if (lane == 0u) { logSumExp[perToken(block, row)] = (largest0 + log2(total)) / log2e; }
`
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<${loadedPiece(plan)}>;
@group(0) @binding(1) var<storage, read_write> out: array<StoredPiece>;
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
  for (var first = 0u; first < params.tokens; first += others) {
    ${othersOfLane(plan)}
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
    { name: 's', load: 'loadQkv', row: 'queryStart', loadOther: 'loadQkv', other: 'keyStart' },
    { name: 'dP', load: 'loadDOut', row: 'outStart', loadOther: 'loadQkv', other: 'valueStart' },
  ]
  // s becomes dS.
  const scoreGradient = (r: number) => `{
      let rowLogSumExp = log2e * subgroupShuffle(logSumExp${Math.floor(r / lanes)}, ${r % lanes}u);
      let rowDelta = subgroupShuffle(delta${Math.floor(r / lanes)}, ${r % lanes}u);
      s${r}_0 = select(0.0, exp2(scale * s${r}_0 - rowLogSumExp) * (dP${r}_0 - rowDelta), exists);
    }`
  const store = storePieces(plan, 'dqkv', 'queryStart', 'dQuery', 'params.scoreScale * dQuery0_0')
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<${loadedPiece(plan)}>;
@group(0) @binding(1) var<storage, read> out: array<${loadedPiece(plan)}>;
@group(0) @binding(2) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(3) var<storage, read> dOut: array<${loadedPiece(plan)}>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<StoredPiece>;
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
    for (var i = 0u; i < params.pieces; i++) { sum = dotAdd(loadOut(rowOut + i), loadDOut(rowOut + i), sum); }
    logSumExp${rowVectors - 1} = logSumExp[perToken(block, row)];
    delta${rowVectors - 1} = sum;
    if (token < endRow) { delta[perToken(block, row)] = sum; }
  }
  ${sumsStart(plan, ['dQuery'])}
  for (var first = 0u; first < params.tokens; first += others) {
    ${othersOfLane(plan)}
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
    { name: 's', load: 'loadQkv', row: 'keyStart', loadOther: 'loadQkv', other: 'queryStart' },
    { name: 'dP', load: 'loadQkv', row: 'valueStart', loadOther: 'loadDOut', other: 'outStart' },
  ]
  // s becomes P, dP becomes dS.
  const weigh = wgsl`
      let at = perToken(block, min(group + lane, lastToken));
      let otherLogSumExp = log2e * logSumExp[at];
      let otherDelta = delta[at];
      ${each(
        rows,
        (r) => `
      s${r}_0 = select(0.0, exp2(scale * s${r}_0 - otherLogSumExp), exists);
      dP${r}_0 = s${r}_0 * (dP${r}_0 - otherDelta);`,
      )}
`
  const sums = [
    { name: 'dKey', weight: 'dP', load: 'loadQkv', start: 'queryStart' },
    { name: 'dValue', weight: 's', load: 'loadDOut', start: 'outStart' },
  ]
  const store = wgsl`
    ${storePieces(plan, 'dqkv', 'keyStart', 'dKey', 'params.scoreScale * dKey0_0')}
    ${storePieces(plan, 'dqkv', 'valueStart', 'dValue', 'dValue0_0')}
`
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<${loadedPiece(plan)}>;
@group(0) @binding(1) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(2) var<storage, read> dOut: array<${loadedPiece(plan)}>;
@group(0) @binding(3) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<StoredPiece>;
@group(0) @binding(5) var<uniform> params: Params;
${loaders(plan, { loadQkv: 'qkv', loadDOut: 'dOut' })}
@compute @workgroup_size(${lanes})
${entryPoint}
  ${owned(plan)}
  let scale = params.scoreScale * log2e;
  ${sumsStart(plan, ['dKey', 'dValue'])}
  for (var first = 0u; first < params.tokens; first += others) {
    ${othersOfLane(plan)}
    ${productsWgsl(plan, products)}
    ${sumsWgsl(plan, ['s', 'dP'], weigh, sums)}
  }
  ${storeRows(plan, ['dKey', 'dValue'], [], store)}
}
`
}

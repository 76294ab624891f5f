/**
 * The texts of which attentionSubgroup.ts makes its kernels: who has which pieces, products of rows with others, weighted sums of others, stores.
 * What they are for, and why they look so, is said there.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import type { AttentionPlan } from './attention.js'

/** `text(0)`, `text(1)`, … each on a line of its own. */
export function each(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join('\n')
}

/** The counts that the texts below loop over. */
export function counts({ rows, others, lanes, slots }: AttentionPlan) {
  return { rows, slots, lanes, groups: others / lanes, rowVectors: Math.ceil(rows / lanes) }
}

export const entryPoint = `
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
export function owned({ slots, lanes }: AttentionPlan): string {
  return each(slots, (s) => `let piece${s} = min(lane + ${s * lanes}u, params.pieces - 1u);`)
}

/** The others of this lane from \`first\` on: other0, other1, … and whether they exist. */
export function othersOfLane(plan: AttentionPlan): string {
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
export function productsWgsl(plan: AttentionPlan, products: readonly Product[]): string {
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

export function sumsStart(plan: AttentionPlan, sums: readonly string[]): string {
  const { rows, slots } = counts(plan)
  return sums
    .map((name) => each(rows, (r) => each(slots, (s) => `var ${name}${r}_${s} = Piece();`)))
    .join('\n')
}

/**
 * WGSL that adds weight · other to every sum, for the others from \`first\` on, a group after the other. The group at hand is always number 0:
 * \`weigh\` makes its weights of its products, whose names are \`products\`, and then the next group moves up.
 */
export function sumsWgsl(
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
export function storeRows(
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
export function storePieces(plan: AttentionPlan, buffer: string, start: string, name: string, value: string) {
  const { slots, lanes } = counts(plan)
  return wgsl`
    for (var piece = lane; piece < params.pieces; piece += ${lanes}u) {
      ${buffer}[${start}(block, row) + piece] = StoredPiece(${value});
      ${each(slots - 1, (s) => `${name}0_${s} = ${name}0_${s + 1};`)}
    }
`
}

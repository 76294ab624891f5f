/**
 * The texts of which attentionSubgroup.ts makes its kernels: who has which chunks, products of rows with
 * columns, weighted sums of columns, stores. What they are for, and why they look so, is said there.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import type { AttentionPlan } from './attention.js'

/** `text(0)`, `text(1)`, … each on a line of its own. */
export function each(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join('\n')
}

/** The counts that the texts below loop over. */
export function counts({ rows, columns, lanes, slots }: AttentionPlan) {
  return { rows, slots, lanes, groups: columns / lanes, rowVectors: Math.ceil(rows / lanes) }
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

/** Which chunks this lane has of every sum: chunk0, chunk1, … */
export function owned({ slots, lanes }: AttentionPlan): string {
  return each(slots, (s) => `let chunk${s} = min(lane + ${s * lanes}u, params.chunks - 1u);`)
}

/** The columns of this lane from \`first\` on: column0, column1, … and whether they exist. */
export function columnsOfLane(plan: AttentionPlan): string {
  const { lanes, groups } = counts(plan)
  return each(
    groups,
    (g) => `
    let token${g} = first + ${g * lanes}u + lane;
    let exists${g} = token${g} < params.tokens;
    let column${g} = min(token${g}, lastToken);`,
  )
}

/** A product of every row with every column: what it is called, and how both are loaded. */
interface Product {
  readonly name: string
  readonly load: string
  readonly row: string
  readonly loadColumn: string
  readonly column: string
}

/**
 * WGSL that makes the products: \`name3_1\` is row 3 with group 1's column of this lane. Lanes without a row
 * or a column load nothing.
 */
export function productsWgsl(plan: AttentionPlan, products: readonly Product[]): string {
  const { rows, lanes, groups, rowVectors } = counts(plan)
  const starts = ({ name, column }: Product) =>
    each(groups, (g) => `let ${name}Column${g} = ${column}(block, column${g});`)
  const noRows = ({ name }: Product) => each(rowVectors, (v) => `var ${name}R${v} = Chunk();`)
  // Vectors of rows move down by one, and the last is loaded.
  const loadRows = ({ name, load, row }: Product) =>
    `${each(rowVectors - 1, (v) => `${name}R${v} = ${name}R${v + 1};`)}
        ${name}R${rowVectors - 1} = Chunk();
        if (token < endRow) { ${name}R${rowVectors - 1} = ${load}(${row}(block, token) + i); }`
  const loadColumns = ({ name, loadColumn }: Product) =>
    each(
      groups,
      (g) =>
        `var ${name}C${g} = Chunk(); if (exists${g}) { ${name}C${g} = ${loadColumn}(${name}Column${g} + i); }`,
    )
  const row = ({ name }: Product, r: number) =>
    `{ let x = subgroupShuffle(${name}R${Math.floor(r / lanes)}, ${r % lanes}u);
        ${each(groups, (g) => `${name}${r}_${g} = dotAdd(x, ${name}C${g}, ${name}${r}_${g});`)} }`
  return wgsl`
    ${products.map(starts).join('\n')}
    ${products.map(({ name }) => each(rows, (r) => each(groups, (g) => `var ${name}${r}_${g} = 0.0;`))).join('\n')}
    for (var i = 0u; i < params.chunks; i++) {
      ${products.map(noRows).join('\n')}
      for (var start = block.firstRow; start < block.firstRow + rows; start += ${lanes}u) {
        let token = start + lane;
        ${products.map(loadRows).join('\n')}
      }
      ${products.map(loadColumns).join('\n')}
      ${products.map((product) => each(rows, (r) => row(product, r))).join('\n')}
    }
`
}

/** A sum per row: what it is called, the weights, and how the columns are loaded. */
interface WeightedSum {
  readonly name: string
  readonly weight: string
  readonly load: string
  readonly start: string
}

export function sumsStart(plan: AttentionPlan, sums: readonly string[]): string {
  const { rows, slots } = counts(plan)
  return sums
    .map((name) => each(rows, (r) => each(slots, (s) => `var ${name}${r}_${s} = Chunk();`)))
    .join('\n')
}

/**
 * WGSL that adds weight · column to every sum, for the columns from \`first\` on, a group after the other.
 * The group at hand is always number 0:
 * \`weigh\` makes its weights of its products, whose names are \`products\`, and then the next group moves
 * up.
 */
export function sumsWgsl(
  plan: AttentionPlan,
  products: readonly string[],
  weigh: string,
  sums: readonly WeightedSum[],
): string {
  const { rows, slots, lanes, groups } = counts(plan)
  const load = ({ name, load, start }: WeightedSum) =>
    `let ${name}Start = ${start}(block, column);
        ${each(slots, (s) => `let ${name}Chunk${s} = ${load}(${name}Start + chunk${s});`)}`
  const add = ({ name, weight }: WeightedSum, r: number) =>
    `{ let weight = subgroupShuffle(${weight}${r}_0, j);
        ${each(slots, (s) => `${name}${r}_${s} += weight * ${name}Chunk${s};`)} }`
  const next = (name: string) =>
    each(rows, (r) => each(groups - 1, (g) => `${name}${r}_${g} = ${name}${r}_${g + 1};`))
  return wgsl`
    let end = min(first + columns, params.tokens);
    for (var group = first; group < end; group += ${lanes}u) {
      let exists = group + lane < params.tokens;
      ${weigh}
      for (var j = 0u; j < min(${lanes}u, end - group); j++) {
        let column = group + j;
        ${sums.map(load).join('\n')}
        ${sums.map((sum) => each(rows, (r) => add(sum, r))).join('\n')}
      }
      ${products.map(next).join('\n')}
    }
`
}

/**
 * WGSL that runs \`store\` for each row, with its sums in \`name0_0\`, \`name0_1\`, …; \`moved\` are more
 * variables of the row.
 */
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

/**
 * WGSL that stores this lane's chunks of row 0's sum: the chunk at hand moves down to slot 0, where \`value\`
 * takes it.
 */
export function storeChunks(plan: AttentionPlan, buffer: string, start: string, name: string, value: string) {
  const { slots, lanes } = counts(plan)
  return wgsl`
    for (var chunk = lane; chunk < params.chunks; chunk += ${lanes}u) {
      ${buffer}[${start}(block, row) + chunk] = StoredChunk(${value});
      ${each(slots - 1, (s) => `${name}0_${s} = ${name}0_${s + 1};`)}
    }
`
}

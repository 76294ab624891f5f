/**
 * Matmul on the matrix units of a GPU, through WGSL's experimental subgroup matrices.
 *
 * State    no adapter at hand offers them: what is checked is that Dawn accepts the text, and everything but
 *          the four things named in `MatrixUnit`, which the tests replace by plain loops. Off unless asked
 *          for when the runtime is opened.
 * Tiling   64 × 64 of C by four subgroups, 32 × 32 each, as (32/M) × (32/N) matrices of the adapter's own M ×
 *          N × K. Blocks of A and B of 16 k (f32) or 32 k (f16) are staged in workgroup memory, 8 KiB, in the
 *          order they have in memory; a transposed operand is loaded column-major.
 * Epilogue matrices know no single elements, so results go through 8 KiB of workgroup memory, one row of
 * matrices at a time.
 * Needs    workgroup_size.x a multiple of the largest subgroup, and the same subgroup size in every run: it
 *          is pinned where the adapter knows more than one.
 * Numerics sums are f32 (matrix units with f16 sums are not used), operands are never rounded to less than
 *          they are stored in. The units may add in any order inside one M × N × K product, so bits differ
 *          from the other variants.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import type { KernelCaps, SubgroupMatrixConfig } from './kernel.js'
import {
  type MatmulLayout,
  type MatmulProduct,
  type MatmulText,
  productPrelude,
  type StoredTypes,
} from './matmulShared.js'
import { vectorLoads } from './matmulTiled.js'

const SIDE = 64
/** A subgroup's share of the tile. */
const SHARE = 32
const SUBGROUPS = 4

/** What the text is made for. */
export interface MatrixPlan {
  readonly config: SubgroupMatrixConfig
  readonly layout: MatmulLayout
  /** Steps of k that are staged at a time. */
  readonly depth: number
  readonly subgroupSize: number
  /** The subgroup size must be pinned. */
  readonly pinned: boolean
}

/**
 * How the text speaks of matrices: directives and declarations, and expressions for the four things done with
 * them.
 */
export interface MatrixUnit {
  readonly directives: readonly string[]
  /** Declares the type `Sum`, an M×N matrix of f32; `Sum()` is zero. */
  readonly declarations: string
  /** M×K out of blockA, K×N out of blockB, from the element at `offset` on. */
  loadLeft(offset: string): string
  loadRight(offset: string): string
  /** left·right + sum. */
  multiplyAdd(left: string, right: string, sum: string): string
  /** A statement: the matrix to `results`, rows 32 apart. */
  store(offset: string, sum: string): string
}

/** Whether this adapter has matrix units for the stored types, and one subgroup size or a way to pin it. */
export function subgroupMatrixFits(caps: KernelCaps, { stored }: Pick<MatmulProduct, 'stored'>): boolean {
  const { subgroupMinSize = 0, subgroupMaxSize = 0, subgroupSizeControl = false } = caps
  const sizeKnown = subgroupMinSize === subgroupMaxSize || subgroupSizeControl
  return sizeKnown && subgroupMaxSize <= 64 && matrixConfig(caps, stored) !== undefined
}

/** The text for a product that is eligible. `unit`: the matrix unit, which tests replace. */
export function subgroupMatrixText(
  caps: KernelCaps,
  product: MatmulProduct,
  unit: (plan: MatrixPlan) => MatrixUnit = matrixUnit,
): MatmulText {
  const config = matrixConfig(caps, product.stored)!
  const pinned = caps.subgroupMinSize !== caps.subgroupMaxSize
  const depth = config.componentType === 'f16' ? 32 : 16
  const plan = { config, layout: product.layout, depth, subgroupSize: caps.subgroupMaxSize!, pinned }
  const vector = vectorLoads(product)
  const { M, N, K, componentType } = config
  return {
    variant: 'subgroupMatrix',
    key: `${componentType}/${M}/${N}/${K}/${plan.subgroupSize}/${pinned}/${vector}`,
    rows: SIDE,
    columns: SIDE,
    code: () => {
      const matrix = unit(plan)
      const pin = pinned ? ['enable subgroup_size_control;'] : []
      const directives = ['enable subgroups;', ...pin, ...matrix.directives]
      const width = vector ? 4 : 1
      const widths = { a: width, b: width, c: 1 } as const
      const prelude = productPrelude(product, widths, directives)
      return prelude + memoryWgsl(plan) + matrix.declarations + subgroupMatrixCode(plan, matrix, vector)
    },
  }
}

/**
 * The first matrix shape that divides a subgroup's share and sums in f32: of f16 components where both
 * operands are stored so, else of f32.
 */
function matrixConfig(caps: KernelCaps, { a, b }: StoredTypes): SubgroupMatrixConfig | undefined {
  const usable = (type: string) => (config: SubgroupMatrixConfig) =>
    config.componentType === type &&
    config.resultType === 'f32' &&
    config.M <= 16 &&
    SHARE % config.M === 0 &&
    SHARE % config.N === 0 &&
    16 % config.K === 0
  const configs = caps.subgroupMatrixConfigs ?? []
  return (a === 'f16' && b === 'f16' ? configs.find(usable('f16')) : undefined) ?? configs.find(usable('f32'))
}

/** Blocks of A and B, and for every subgroup a row of result matrices. */
function memoryWgsl({ config, depth }: MatrixPlan): string {
  return wgsl`
alias Component = ${config.componentType};
var<workgroup> blockA: array<Component, ${SIDE * depth}>;
var<workgroup> blockB: array<Component, ${SIDE * depth}>;
var<workgroup> results: array<f32, ${SUBGROUPS * config.M * SHARE}>;
`
}

/**
 * The adapter's own unit. Offsets are the same for a whole subgroup but differ between subgroups, which the
 * uniformity analysis, made for workgroups, cannot accept.
 */
function matrixUnit({ config, layout, depth }: MatrixPlan): MatrixUnit {
  const { M, N, K, componentType } = config
  const orderA = layout === 'TN' ? 'col_major' : 'row_major'
  const orderB = layout === 'NT' ? 'col_major' : 'row_major'
  const strideA = layout === 'TN' ? SIDE : depth
  const strideB = layout === 'NT' ? depth : SIDE
  return {
    directives: [
      'enable chromium_experimental_subgroup_matrix;',
      'diagnostic(off, chromium.subgroup_matrix_uniformity);',
      ...(componentType === 'f16' ? ['enable f16;'] : []),
    ],
    declarations: wgsl`
alias Left = subgroup_matrix_left<Component, ${K}, ${M}>;
alias Right = subgroup_matrix_right<Component, ${N}, ${K}>;
alias Sum = subgroup_matrix_result<f32, ${N}, ${M}>;
`,
    loadLeft: (offset) => `subgroupMatrixLoad<Left, ${orderA}>(&blockA, ${offset}, ${strideA}u)`,
    loadRight: (offset) => `subgroupMatrixLoad<Right, ${orderB}>(&blockB, ${offset}, ${strideB}u)`,
    multiplyAdd: (left, right, sum) => `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sum})`,
    store: (offset, sum) => `subgroupMatrixStore<row_major>(&results, ${offset}, ${sum}, ${SHARE}u);`,
  }
}

function subgroupMatrixCode(plan: MatrixPlan, unit: MatrixUnit, vector: boolean): string {
  const { config, layout, depth, subgroupSize, pinned } = plan
  const { M, N, K } = config
  const rows = Array.from({ length: SHARE / M }, (_, i) => i)
  const columns = Array.from({ length: SHARE / N }, (_, j) => j)
  const lanes = SUBGROUPS * subgroupSize
  const leftAt = (i: number) =>
    layout === 'TN' ? `inner * ${SIDE}u + shareRow + ${i * M}u` : `(shareRow + ${i * M}u) * ${depth}u + inner`
  const rightAt = (j: number) =>
    layout === 'NT'
      ? `(shareColumn + ${j * N}u) * ${depth}u + inner`
      : `inner * ${SIDE}u + shareColumn + ${j * N}u`
  return wgsl`
@compute @workgroup_size(${lanes}) ${pinned ? `@subgroup_size(${subgroupSize})` : ''}
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) place: u32,
) {
  let flat = flatWorkgroup(workgroup, workgroups);
  if (flat >= params.workgroups) { return; }
  let part = partOf(flat);
  let firstRow = part.tileRow * ${SIDE}u;
  let firstColumn = part.tileColumn * ${SIDE}u;
  let shareRow = (subgroup / 2u) * ${SHARE}u;
  let shareColumn = (subgroup % 2u) * ${SHARE}u;
  let startA = part.batch * params.m * params.k;
  let startB = part.batch * params.n * params.k;

  ${rows.map((i) => columns.map((j) => `var sum${i}_${j} = Sum();`).join(' ')).join('\n  ')}
  for (var kBlock = part.kStart; kBlock < part.kEnd; kBlock += ${depth}u) {
    ${stage('a', layout !== 'TN', plan, vector)}
    ${stage('b', layout === 'NT', plan, vector)}
    workgroupBarrier();
    for (var inner = 0u; inner < ${depth}u; inner += ${K}u) {
      ${rows.map((i) => `let left${i} = ${unit.loadLeft(leftAt(i))};`).join('\n      ')}
      ${columns.map((j) => `let right${j} = ${unit.loadRight(rightAt(j))};`).join('\n      ')}
      ${rows.map((i) => columns.map((j) => `sum${i}_${j} = ${unit.multiplyAdd(`left${i}`, `right${j}`, `sum${i}_${j}`)};`).join('\n      ')).join('\n      ')}
    }
    workgroupBarrier();
  }

  let ownResults = subgroup * ${M * SHARE}u;
  ${rows.map((i) => storeRow(i, columns, plan, unit)).join('\n')}
}
`
}

/**
 * One row of matrices leaves through `results`. The barriers order stores and loads of the lanes of one
 * subgroup.
 */
function storeRow(
  i: number,
  columns: readonly number[],
  { config, subgroupSize }: MatrixPlan,
  unit: MatrixUnit,
): string {
  const { M, N } = config
  return wgsl`
  ${columns.map((j) => `${unit.store(`ownResults + ${j * N}u`, `sum${i}_${j}`)}`).join('\n  ')}
  workgroupBarrier();
  for (var element = place; element < ${M * SHARE}u; element += ${subgroupSize}u) {
    let row = firstRow + shareRow + ${i * M}u + element / ${SHARE}u;
    let column = firstColumn + shareColumn + element % ${SHARE}u;
    if (row < params.m && column < params.n) {
      storeResult((part.slice * params.m + row) * params.n + column, column, results[ownResults + element]);
    }
  }
  workgroupBarrier();`
}

/**
 * Copies `depth` steps of k of one operand into its block, in the order of memory: [side][depth] where k is
 * contiguous, else [depth][side]. Rows and columns past the end repeat the last, k past the end gives 0.
 */
function stage(
  operand: 'a' | 'b',
  alongK: boolean,
  { depth, subgroupSize }: MatrixPlan,
  vector: boolean,
): string {
  const width = vector ? 4 : 1
  const name = operand.toUpperCase()
  const count = operand === 'a' ? 'params.m' : 'params.n'
  const first = operand === 'a' ? 'firstRow' : 'firstColumn'
  const perLine = alongK ? depth : SIDE
  const outer = `min(${first} + outer, ${count} - ${alongK ? 1 : width}u)`
  const k = `min(kBlock + inner, params.k - ${alongK ? width : 1}u)`
  const index = alongK
    ? `start${name} + ${outer} * params.k + ${k}`
    : `start${name} + ${k} * ${count} + ${outer}`
  const parts = vector ? [0, 1, 2, 3] : [0]
  return wgsl`
    for (var i = lane * ${width}u; i < ${SIDE * depth}u; i += ${width * SUBGROUPS * subgroupSize}u) {
      let inner = i ${alongK ? '%' : '/'} ${perLine}u;
      let outer = i ${alongK ? '/' : '%'} ${perLine}u;
      let loaded = value${name}(${operand}[(${index})${vector ? ' / 4u' : ''}]);
      let inside = kBlock + inner < part.kEnd;
      ${parts.map((c) => `block${name}[i + ${c}u] = select(Component(), Component(loaded${vector ? `[${c}]` : ''}), inside);`).join('\n      ')}
    }`
}

/**
 * What all matmul variants share: what a product is, how it is cut into workgroups, and how a finished value
 * of C leaves the kernel.
 *
 * Order    workgroups that run at the same time should want the same rows of A and columns of B, so that
 *          these are found in the cache. Tiles are numbered in bands of 8 tile rows, down the band's columns:
 *          64 neighbours touch 8 + 8 blocks and not 1 + 64.
 * Split-K  a part of k starts at a multiple of 16, so that whole K-tiles and vec4s never straddle two parts.
 *          The last parts may be empty;
 *          they write zeros.
 * Numerics f32 accumulators whatever the stored types; k in ascending order within a part.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { erfWgsl } from './erf.js'
import { type Access, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { type StoredType, storedBytes } from './stored.js'

export type MatmulLayout = 'NN' | 'NT' | 'TN'

/**
 * What happens to P = op(A)·op(B) on its way to C:
 *   none        C = P
 *   bias        C = P + bias[n]
 *   biasGelu    Z = P + bias[n], C = gelu(Z); both are written, backward needs Z
 *   residual    C = P + bias[n] + R, R [m,n]
 *   accumulate  C += P
 *   rowSums     C = P, and the sums of op(A)'s rows, [m]: with dW = dYᵀ·X these are the bias gradient. Layout
 *               TN only.
 */
export type MatmulEpilogue = 'none' | 'bias' | 'biasGelu' | 'residual' | 'accumulate' | 'rowSums'

/**
 * An epilogue as a text has it. `linear` and `linearOrGelu` do several, the uniform `epilogue` says which: a
 * CPU driver takes as long to compile a product's text as to run hundreds of products.
 */
export type TextEpilogue = MatmulEpilogue | CommonText

type CommonText = 'linear' | 'linearOrGelu'

/**
 * How A, B and C lie in memory. A bias and row sums are f32 always, a residual and a pre-activation are as C.
 */
export interface StoredTypes {
  readonly a: StoredType
  readonly b: StoredType
  readonly c: StoredType
}

export interface MatmulSpec {
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
  readonly layout: MatmulLayout
  readonly epilogue: MatmulEpilogue
  readonly stored: StoredTypes
}

export interface MatmulProduct extends MatmulSpec {
  /** Parts of k; above 1 C is a workspace [splits,m,n], with batch 1 and no epilogue. */
  readonly splits: number
}

/**
 * A variant's text for a product: what it depends on besides layout, epilogue and types, and the block of C a
 * workgroup makes.
 */
export interface MatmulText {
  readonly variant: string
  readonly key: string
  /** Where it is not the product's own. */
  readonly epilogue?: TextEpilogue
  readonly rows: number
  readonly columns: number
  readonly code: () => string
}

/** One way to compute products. */
export interface MatmulVariant {
  readonly name: string
  /** The layout that a product is brought to before, by transposing the operands that differ. */
  takes(layout: MatmulLayout): MatmulLayout
  /** Whether it can and should run a product, given in the layout that it takes. */
  fits(caps: KernelCaps, spec: MatmulSpec): boolean
  /** So many workgroups fill the device: with fewer, long sums are cut into parts. */
  readonly workgroupsWanted: number
  text(caps: KernelCaps, product: MatmulProduct): MatmulText
}

/** Where a workgroup's part of k may start. */
const PART_ALIGNMENT = 16

/** Tile rows of a band. */
const BAND_ROWS = 8

/**
 * The kernel of a product. Bindings: a, b, what the epilogue reads and writes besides (`bindingsOf`), what
 * the text binds and this epilogue leaves alone (any tensor of at least four f32 serves; where it is written,
 * one that is bound nowhere else), c.
 */
export function productKernel(product: MatmulProduct, text: MatmulText): Kernel {
  const { batch, m, n, k, layout, epilogue, splits, stored } = product
  const tilesM = Math.ceil(m / text.rows)
  const tilesN = Math.ceil(n / text.columns)
  const workgroups = tilesM * tilesN * batch * splits
  const kPerSplit = splits === 1 ? k : Math.ceil(k / splits / PART_ALIGNMENT) * PART_ALIGNMENT
  const types = Object.values(stored).includes('f16') ? `.${stored.a}-${stored.b}-${stored.c}` : ''
  const name = (done: TextEpilogue) =>
    `matmul${layout}.${text.variant}${done === 'none' ? '' : `.${done}`}${types}`
  const { epilogue: inText = epilogue } = text
  const sizes = [m, n, k, tilesM, tilesN, splits, kPerSplit, workgroups]
  return {
    name: name(epilogue),
    key: `${name(inText)}/${text.key}`,
    bindings: bindingsOf(inText),
    params: [...sizes, ...epilogueWord(inText, epilogue)],
    workgroups: flatGrid(workgroups, 1),
    cost: productCost(product),
    code: text.code,
  }
}

/** What the texts with several epilogues can do; the place here is their uniform `epilogue`. */
export const commonEpilogues: Readonly<Record<CommonText, readonly MatmulEpilogue[]>> = {
  linear: ['none', 'bias', 'residual'],
  linearOrGelu: ['none', 'bias', 'residual', 'biasGelu'],
}

/** The value of the uniform `epilogue`, if the text has it. */
function epilogueWord(text: TextEpilogue, epilogue: MatmulEpilogue): number[] {
  return isCommon(text) ? [commonEpilogues[text].indexOf(epilogue)] : []
}

function isCommon(text: TextEpilogue): text is CommonText {
  return text in commonEpilogues
}

/** a, b; then bias, residual, pre-activation, row sums; then c. */
function bindingsOf(epilogue: TextEpilogue): readonly Access[] {
  const between: Record<TextEpilogue, readonly Access[]> = {
    linear: ['read', 'read'],
    linearOrGelu: ['read', 'read', 'write'],
    none: [],
    accumulate: [],
    bias: ['read'],
    residual: ['read', 'read'],
    biasGelu: ['read', 'write'],
    rowSums: ['write'],
  }
  return ['read', 'read', ...between[epilogue], 'write']
}

function productCost({ batch, m, n, k, epilogue, splits, stored }: MatmulProduct) {
  const outputs = batch * m * n * splits
  const epilogueFlops = { none: 0, accumulate: 1, bias: 1, residual: 2, biasGelu: 31, rowSums: 0 }[epilogue]
  const passes = { none: 1, bias: 1, accumulate: 2, residual: 2, biasGelu: 2, rowSums: 1 }[epilogue]
  const operands = batch * k * (m * storedBytes(stored.a) + n * storedBytes(stored.b))
  return {
    flops: 2 * batch * m * n * k + epilogueFlops * outputs + (epilogue === 'rowSums' ? m * k : 0),
    bytes: operands + passes * outputs * storedBytes(stored.c),
  }
}

/** Elements per load of A and B, and per store of C. */
export interface Widths {
  readonly a: 1 | 4
  readonly b: 1 | 4
  readonly c: 1 | 4
}

/**
 * WGSL: directives, bindings, `valueA(a[i])` and `valueB(b[i])` (f32 or vec4f), `partOf(flat)`, and
 * `storeResult(index, column, value)`, which takes one element (or four in a row) of the product through the
 * epilogue to C. Index and column count elements, or vec4s with `widths.c` 4. `halves`: a CPU driver, which
 * loads and stores scalar by scalar, takes four f16 as two words, by a bitcast that naga (Firefox) lacks.
 */
export function productPrelude(
  { epilogue, stored }: { readonly epilogue: TextEpilogue; readonly stored: StoredTypes },
  widths: Widths,
  directives: readonly string[] = [],
  halves: 'vectors' | 'words' = 'vectors',
): string {
  const half = Object.values(stored).includes('f16')
  const hasSeveral = isCommon(epilogue)
  const hasBias = hasSeveral || epilogue === 'bias' || epilogue === 'biasGelu' || epilogue === 'residual'
  const hasResidual = hasSeveral || epilogue === 'residual'
  const hasGelu = epilogue === 'linearOrGelu' || epilogue === 'biasGelu'
  const hasRowSums = epilogue === 'rowSums'
  const c = bindingsOf(epilogue).length - 1
  return wgsl`
${[...directives, ...(half ? ['enable f16;'] : [])].join('\n')}
${storedAlias('A', stored.a, widths.a, halves)}
${storedAlias('B', stored.b, widths.b, halves)}
${storedAlias('C', stored.c, widths.c, halves)}

@group(0) @binding(0) var<storage, read> a: array<StoredA>;
@group(0) @binding(1) var<storage, read> b: array<StoredB>;
#if ${hasBias}
@group(0) @binding(2) var<storage, read> bias: array<ValueC>;
#endif
#if ${hasResidual}
@group(0) @binding(3) var<storage, read> residual: array<StoredC>;
#endif
#if ${hasGelu}
@group(0) @binding(${c - 1}) var<storage, read_write> preActivation: array<StoredC>;
#endif
#if ${hasRowSums}
@group(0) @binding(2) var<storage, read_write> rowSums: array<ValueA>;
#endif
@group(0) @binding(${c}) var<storage, read_write> c: array<StoredC>;

struct Params {
  m: u32,
  n: u32,
  k: u32,
  tilesM: u32,
  tilesN: u32,
  splits: u32,
  kPerSplit: u32,
  workgroups: u32,
#if ${hasSeveral}
  epilogue: u32,
#endif
}
@group(0) @binding(${c + 1}) var<uniform> params: Params;
${flatWorkgroupWgsl}
${partOfWgsl}
#if ${hasGelu}
${erfWgsl}
#endif

#if ${hasGelu}
fn gelu(z: ValueC) -> ValueC {
  return ${widths.c === 4 ? 'vec4f(geluExact(z.x), geluExact(z.y), geluExact(z.z), geluExact(z.w))' : 'geluExact(z)'};
}
#endif

fn storeResult(index: u32, column: u32, value: ValueC) {
  #if ${hasSeveral}
  var result = value;
  if (params.epilogue > 0u) { result += bias[column]; }
  if (params.epilogue == 2u) { result += valueC(residual[index]); }
  #if ${hasGelu}
  if (params.epilogue == 3u) {
    preActivation[index] = storedC(result);
    result = gelu(result);
  }
  #endif
  c[index] = storedC(result);
  #elif ${hasGelu}
  let z = value + bias[column];
  preActivation[index] = storedC(z);
  c[index] = storedC(gelu(z));
  #elif ${hasResidual}
  c[index] = storedC(valueC(residual[index]) + (value + bias[column]));
  #elif ${hasBias}
  c[index] = storedC(value + bias[column]);
  #elif ${epilogue === 'accumulate'}
  c[index] = storedC(valueC(c[index]) + value);
  #else
  c[index] = storedC(value);
  #endif
}
`
}

/** WGSL of one operand: how it lies in memory, what it is in registers, and the ways there and back. */
function storedAlias(
  operand: 'A' | 'B' | 'C',
  type: StoredType,
  width: 1 | 4,
  halves: 'vectors' | 'words',
): string {
  const words = type === 'f16' && width === 4 && halves === 'words'
  const element = width === 4 ? `vec4<${type}>` : type
  const value = width === 4 ? 'vec4f' : 'f32'
  return `
alias Stored${operand} = ${words ? 'vec2u' : element};
alias Value${operand} = ${value};
fn value${operand}(stored: Stored${operand}) -> Value${operand} {
  return ${value}(${words ? 'bitcast<vec4h>(stored)' : 'stored'});
}
fn stored${operand}(value: Value${operand}) -> Stored${operand} {
  return ${words ? 'bitcast<vec2u>(vec4h(value))' : `${element}(value)`};
}
`
}

const partOfWgsl = /* wgsl */ `
// The tile of C and the range of k that one workgroup has.
struct Part {
  tileRow: u32,
  tileColumn: u32,
  batch: u32,
  slice: u32,  // batch · splits + split: which C
  kStart: u32,
  kEnd: u32,
}

fn partOf(flat: u32) -> Part {
  let tiles = params.tilesM * params.tilesN;
  let slice = flat / tiles;
  let tile = flat - slice * tiles;
  let band = tile / (${BAND_ROWS}u * params.tilesN);
  let firstRow = band * ${BAND_ROWS}u;
  let rows = min(${BAND_ROWS}u, params.tilesM - firstRow);
  let inBand = tile - firstRow * params.tilesN;
  let batch = slice / params.splits;
  let kStart = (slice - batch * params.splits) * params.kPerSplit;
  let kEnd = min(kStart + params.kPerSplit, params.k);
  return Part(firstRow + inBand % rows, inBand / rows, batch, slice, kStart, kEnd);
}
`

/**
 * Repeats text for 0…count-1: register blocks are written out, because registers cannot be indexed at run
 * time.
 */
export function unroll(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join('\n')
}

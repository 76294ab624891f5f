/**
 * Layer normalisation over the last dimension (Ba, Kiros & Hinton 2016) and its gradients.
 *
 * Maths    x̂ = (x − mean)·rstd      rstd = 1/√(variance + eps), biased variance      y = x̂·weight + bias
 *          g = dy·weight             dx = rstd·(g − mean(g) − x̂·mean(g·x̂))
 *          dWeight = Σrows dy·x̂      dBias = Σrows dy
 * Shapes   x, y, dy, dx [rows, D]; weight, bias [D]; mean, rstd [rows] are saved by the forward pass.
 * Mapping  forward and dx: `lanesPerRow` neighbouring lanes share a row, 64 / lanesPerRow rows a workgroup.
 *          GPU: 16 or 64 lanes, which read the row side by side and add up in workgroup memory (256 or 512
 *          bytes). CPU drivers: one lane a row and no barrier, because barriers cost more there than strided
 *          loads (lavapipe, 1088 rows of 192: 0.4 ms against 1.0 ms with 8 lanes a row and 11 ms with 64).
 *          dWeight, dBias: one invocation per column and chunk of rows; chunks are added by `columnSum`. No
 *          atomics. A row is read two or three times; all but the first come from cache.
 * Types    x, y, dy, dx f32 or f16; parameters, their gradients and the statistics f32.
 * Numerics f32. The variance takes a second pass over the row (Σ(x − mean)²), so a large mean cancels
 *          nothing.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import { entryArguments, f32, flatGrid, flatWorkgroupWgsl, type Kernel, type KernelCaps } from './kernel.js'
import { valueWidth } from './perValue.js'
import { type StoredType, storedBytes, storedSuffix, storedWgsl } from './stored.js'

const WORKGROUP_SIZE = 64

/** Bindings: x, weight, bias, y, mean, rstd. */
export function layerNormForward(
  caps: KernelCaps,
  rows: number,
  D: number,
  eps: number,
  stored: StoredType,
): Kernel {
  const { width, lanesPerRow } = mapping(caps, D)
  return {
    name: `layerNormForward.${lanesPerRow}lanes${storedSuffix(stored)}`,
    key: `layerNormForward/${lanesPerRow}/${width}${storedSuffix(stored)}`,
    bindings: ['read', 'read', 'read', 'write', 'write', 'write'],
    params: [rows, D / width, f32(1 / D), f32(eps)],
    workgroups: flatGrid(rows * lanesPerRow, WORKGROUP_SIZE),
    cost: { flops: 8 * rows * D, bytes: 2 * storedBytes(stored) * rows * D + 8 * (D + rows) },
    code: () => forwardCode(width, lanesPerRow, stored),
  }
}

/**
 * Gradient of the input. Bindings: x, weight, dy, mean, rstd, dx; with `addend` an array like dx, before it,
 * which is added: the gradient that reaches x past the norm, as in a residual block.
 */
export function layerNormBackward(
  caps: KernelCaps,
  rows: number,
  D: number,
  addend: boolean,
  stored: StoredType,
): Kernel {
  const { width, lanesPerRow } = mapping(caps, D)
  return {
    name: `layerNormBackward.${lanesPerRow}lanes${addend ? '.add' : ''}${storedSuffix(stored)}`,
    key: `layerNormBackward/${lanesPerRow}/${width}/${addend}${storedSuffix(stored)}`,
    bindings: ['read', 'read', 'read', 'read', 'read', ...(addend ? (['read'] as const) : []), 'write'],
    params: [rows, D / width, f32(1 / D), 0],
    workgroups: flatGrid(rows * lanesPerRow, WORKGROUP_SIZE),
    cost: {
      flops: 14 * rows * D,
      bytes: (addend ? 4 : 3) * storedBytes(stored) * rows * D + 4 * D + 8 * rows,
    },
    code: () => backwardCode(width, lanesPerRow, addend, stored),
  }
}

/**
 * Gradients of weight and bias, summed over chunks of rows: [rows, D] → two arrays
 * [ceil(rows / rowsPerChunk), D].
 * Bindings: x, dy, mean, rstd, dWeight, dBias.
 */
export function layerNormParameterGradients(
  rows: number,
  D: number,
  rowsPerChunk: number,
  stored: StoredType,
): Kernel {
  const width = valueWidth(D)
  const chunks = Math.ceil(rows / rowsPerChunk)
  return {
    name: `layerNormParameterGradients${storedSuffix(stored)}`,
    key: `layerNormParameterGradients/${width}${storedSuffix(stored)}`,
    bindings: ['read', 'read', 'read', 'read', 'write', 'write'],
    params: [rows, D / width, rowsPerChunk, (chunks * D) / width],
    workgroups: flatGrid((chunks * D) / width, WORKGROUP_SIZE),
    cost: { flops: 5 * rows * D, bytes: 2 * storedBytes(stored) * rows * D + 8 * (rows + chunks * D) },
    code: () => parameterGradientsCode(width, stored),
  }
}

function mapping(caps: KernelCaps, D: number): { width: 1 | 4; lanesPerRow: number } {
  const width = valueWidth(D)
  if (caps.software) return { width, lanesPerRow: 1 }
  return { width, lanesPerRow: D / width <= 64 ? 16 : 64 }
}

/** WGSL: `Value` is the type of arithmetic, `Held` that of activations in memory. */
function valueWgsl(width: 1 | 4, stored: StoredType): string {
  const types = width === 4 ? ['vec4f', 'Stored4'] : ['f32', 'Stored']
  return `${storedWgsl(stored)}alias Value = ${types[0]};\nalias Held = ${types[1]};\n`
}

/**
 * WGSL shared by forward and dx: which row and which part of it a lane has, and sums over the lanes of a row.
 * `sums` values (1 or 2) are added at once.
 */
function rowWgsl(width: 1 | 4, lanesPerRow: number, sums: 1 | 2, stored: StoredType): string {
  const sum = sums === 2 ? 'vec2f' : 'f32'
  return wgsl`
${valueWgsl(width, stored)}
alias Sum = ${sum};

struct Params {
  rows: u32,
  // Values (of the type above) in a row.
  columns: u32,
  inverseD: f32,
  eps: f32,
}

const lanesPerRow = ${lanesPerRow}u;
const rowsPerWorkgroup = ${WORKGROUP_SIZE / lanesPerRow}u;

${flatWorkgroupWgsl}

fn total(v: Value) -> f32 {
#if ${width === 4}
  return (v.x + v.y) + (v.z + v.w);
#else
  return v;
#endif
}

#if ${lanesPerRow > 1}
var<workgroup> partials: array<Sum, ${WORKGROUP_SIZE}>;
#endif

// Adds over the lanes of a row, as a tree; every lane gets the sum. All lanes of the workgroup must call it.
fn sumOverRow(own: Sum, lane: u32) -> Sum {
#if ${lanesPerRow > 1}
  let laneInRow = lane % lanesPerRow;
  workgroupBarrier();
  partials[lane] = own;
  workgroupBarrier();
  for (var distance = lanesPerRow / 2u; distance > 0u; distance /= 2u) {
    if (laneInRow < distance) { partials[lane] += partials[lane + distance]; }
    workgroupBarrier();
  }
  return partials[lane - laneInRow];
#else
  return own;
#endif
}
`
}

/** Opens `main`: this lane's row and the first value of it that is the lane's. */
const mainHead = `
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let row = flatWorkgroup(workgroup, workgroups) * rowsPerWorkgroup + lane / lanesPerRow;
  // Lanes past the last row have nothing to read but must reach the barriers.
  let columns = select(0u, params.columns, row < params.rows);
  let rowStart = row * params.columns;
  let first = lane % lanesPerRow;
`

function forwardCode(width: 1 | 4, lanesPerRow: number, stored: StoredType): string {
  return wgsl`
${rowWgsl(width, lanesPerRow, 1, stored)}
@group(0) @binding(0) var<storage, read> x: array<Held>;
@group(0) @binding(1) var<storage, read> weight: array<Value>;
@group(0) @binding(2) var<storage, read> bias: array<Value>;
@group(0) @binding(3) var<storage, read_write> y: array<Held>;
@group(0) @binding(4) var<storage, read_write> savedMean: array<f32>;
@group(0) @binding(5) var<storage, read_write> savedRstd: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;
${mainHead}
  var sum = Value(0.0);
  for (var c = first; c < columns; c += lanesPerRow) {
    sum += Value(x[rowStart + c]);
  }
  let mean = sumOverRow(total(sum), lane) * params.inverseD;

  var squares = Value(0.0);
  for (var c = first; c < columns; c += lanesPerRow) {
    let centred = Value(x[rowStart + c]) - mean;
    squares += centred * centred;
  }
  let variance = sumOverRow(total(squares), lane) * params.inverseD;
  let rstd = 1.0 / sqrt(variance + params.eps);

  for (var c = first; c < columns; c += lanesPerRow) {
    y[rowStart + c] = Held((Value(x[rowStart + c]) - mean) * rstd * weight[c] + bias[c]);
  }
  if (first == 0u && row < params.rows) {
    savedMean[row] = mean;
    savedRstd[row] = rstd;
  }
}
`
}

function backwardCode(width: 1 | 4, lanesPerRow: number, addend: boolean, stored: StoredType): string {
  return wgsl`
${rowWgsl(width, lanesPerRow, 2, stored)}
@group(0) @binding(0) var<storage, read> x: array<Held>;
@group(0) @binding(1) var<storage, read> weight: array<Value>;
@group(0) @binding(2) var<storage, read> dy: array<Held>;
@group(0) @binding(3) var<storage, read> savedMean: array<f32>;
@group(0) @binding(4) var<storage, read> savedRstd: array<f32>;
#if ${addend}
@group(0) @binding(5) var<storage, read> addend: array<Held>;
@group(0) @binding(6) var<storage, read_write> dx: array<Held>;
@group(0) @binding(7) var<uniform> params: Params;
#else
@group(0) @binding(5) var<storage, read_write> dx: array<Held>;
@group(0) @binding(6) var<uniform> params: Params;
#endif
${mainHead}
  let savedRow = min(row, params.rows - 1u);
  let mean = savedMean[savedRow];
  let rstd = savedRstd[savedRow];

  var gSum = Value(0.0);
  var gXhatSum = Value(0.0);
  for (var c = first; c < columns; c += lanesPerRow) {
    let g = Value(dy[rowStart + c]) * weight[c];
    gSum += g;
    gXhatSum += g * (Value(x[rowStart + c]) - mean) * rstd;
  }
  let means = sumOverRow(vec2f(total(gSum), total(gXhatSum)), lane) * params.inverseD;

  for (var c = first; c < columns; c += lanesPerRow) {
    let g = Value(dy[rowStart + c]) * weight[c];
    let xhat = (Value(x[rowStart + c]) - mean) * rstd;
    let gradient = rstd * (g - means.x - xhat * means.y);
#if ${addend}
    dx[rowStart + c] = Held(gradient + Value(addend[rowStart + c]));
#else
    dx[rowStart + c] = Held(gradient);
#endif
  }
}
`
}

function parameterGradientsCode(width: 1 | 4, stored: StoredType): string {
  return wgsl`
${valueWgsl(width, stored)}

struct Params {
  rows: u32,
  columns: u32,
  rowsPerChunk: u32,
  // Values in each output: chunks x columns.
  outputs: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Held>;
@group(0) @binding(1) var<storage, read> dy: array<Held>;
@group(0) @binding(2) var<storage, read> savedMean: array<f32>;
@group(0) @binding(3) var<storage, read> savedRstd: array<f32>;
@group(0) @binding(4) var<storage, read_write> dWeight: array<Value>;
@group(0) @binding(5) var<storage, read_write> dBias: array<Value>;
@group(0) @binding(6) var<uniform> params: Params;

${flatWorkgroupWgsl}

@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(${entryArguments}) {
  let index = flatWorkgroup(workgroup, workgroups) * ${WORKGROUP_SIZE}u + lane;
  if (index >= params.outputs) { return; }
  let column = index % params.columns;
  let firstRow = (index / params.columns) * params.rowsPerChunk;
  let endRow = min(firstRow + params.rowsPerChunk, params.rows);

  var weightSum = Value(0.0);
  var biasSum = Value(0.0);
  for (var row = firstRow; row < endRow; row++) {
    let at = row * params.columns + column;
    let gradient = Value(dy[at]);
    weightSum += gradient * (Value(x[at]) - savedMean[row]) * savedRstd[row];
    biasSum += gradient;
  }
  dWeight[index] = weightSum;
  dBias[index] = biasSum;
}
`
}

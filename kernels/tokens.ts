/**
 * Kernels that move token rows: gather and scatter, slices, concatenation, position rows, mean pooling.
 *
 * Shapes   [B, T, D]: `sampleSize` = T·D consecutive elements a sample, rows of D. All offsets and strides in
 *          the uniform block count values (four elements where D divides by 4), as the arrays do.
 * Mapping  see perValue.ts: one output value an invocation, neighbours side by side. Registers only.
 * Types    activations f32 or f16. Positions, pooled features and their gradients are f32; an operand of
 *          `concatRows` may be (a class or mask token among f16 activations).
 * Numerics copies are exact; sums are f32 in a fixed order (batch or token index ascending). No atomics:
 *          where rows are scattered, the caller promises that no two of a sample go to the same place.
 */
import { f32, type Kernel, type KernelCaps } from './kernel.js'
import { type Binding, perValueKernel, readOnly, valueWidth, writable } from './perValue.js'
import { type StoredType, storedBytes } from './stored.js'

const indices: Binding = { name: 'indices', access: 'read', type: 'u32' }

/** y[b, m] = x[b, indices[b, m]]. x [B,N,D], indices [B,M], y [B,M,D]. Bindings: x, indices, y. */
export function gatherRows(
  caps: KernelCaps,
  B: number,
  N: number,
  M: number,
  D: number,
  stored: StoredType,
): Kernel {
  const move = 'moved[index] = rows[place];'
  return moveRows(caps, 'gatherRows', { B, N, M, D }, move, ['read', 'write'], stored)
}

/**
 * dx[b, indices[b, m]] = dy[b, m]: the gradient of `gatherRows` for the rows that were gathered; other rows
 * keep what they hold. The indices of a sample are distinct. Bindings: dx, indices, dy.
 */
export function scatterRows(
  caps: KernelCaps,
  B: number,
  N: number,
  M: number,
  D: number,
  stored: StoredType,
): Kernel {
  const move = 'rows[place] = moved[index];'
  return moveRows(caps, 'scatterRows', { B, N, M, D }, move, ['write', 'read'], stored)
}

function moveRows(
  caps: KernelCaps,
  name: string,
  { B, N, M, D }: Record<'B' | 'N' | 'M' | 'D', number>,
  move: string,
  [rowsAccess, movedAccess]: readonly ['read' | 'write', 'read' | 'write'],
  stored: StoredType,
): Kernel {
  const width = valueWidth(D)
  return perValueKernel(caps, {
    name,
    values: (B * M * D) / width,
    width,
    stored,
    buffers: [{ name: 'rows', access: rowsAccess }, indices, { name: 'moved', access: movedAccess }],
    parameters: [
      ['columns: u32', D / width],
      ['rowsPerSample: u32', N],
      ['indicesPerSample: u32', M],
    ],
    statement: `
    let entry = index / params.columns;
    let row = indices[entry];
    // An index past the sample's end must not reach into the next sample.
    if (row >= params.rowsPerSample) { continue; }
    let sample = entry / params.indicesPerSample;
    let place = (sample * params.rowsPerSample + row) * params.columns + index % params.columns;
    ${move}`,
    cost: { flops: 0, bytes: 2 * storedBytes(stored) * B * M * D + 4 * B * M },
  })
}

/**
 * y = tokens start…start+count-1 of every sample of x [B,T,D]. Bindings: x, y [B,count,D], which may be f32
 * where x is f16.
 */
export function sliceRows(
  caps: KernelCaps,
  [B, T, D]: Shape3,
  start: number,
  count: number,
  stored: StoredType,
  yStored: StoredType,
): Kernel {
  const width = valueWidth(D)
  return perValueKernel(caps, {
    name: 'sliceRows',
    variant: yStored,
    values: (B * count * D) / width,
    width,
    stored,
    buffers: [readOnly('x'), { ...writable('y'), stored: yStored }],
    parameters: sliceParameters(T, D, start, count, width),
    statement: `
    let sample = index / params.sliceSize;
    let value = x[sample * params.sampleSize + params.offset + index % params.sliceSize];
    y[index] = ${yStored === stored ? 'value' : 'Value(value)'};`,
    cost: { flops: 0, bytes: (storedBytes(stored) + storedBytes(yStored)) * B * count * D },
  })
}

/**
 * dx [B,T,D] = dy [B,count,D] at tokens start…start+count-1, zero elsewhere: the gradient of `sliceRows`.
 * Bindings: dy, dx.
 */
export function placeRows(
  caps: KernelCaps,
  [B, T, D]: Shape3,
  start: number,
  count: number,
  stored: StoredType,
): Kernel {
  const width = valueWidth(D)
  return perValueKernel(caps, {
    name: 'placeRows',
    values: (B * T * D) / width,
    width,
    stored,
    buffers: [readOnly('dy'), writable('dx')],
    parameters: sliceParameters(T, D, start, count, width),
    statement: `
    let sample = index / params.sampleSize;
    // Wraps round to a large number before the slice, so one comparison tells both ends.
    let inSlice = index % params.sampleSize - params.offset;
    var value = Held();
    if (inSlice < params.sliceSize) { value = dy[sample * params.sliceSize + inSlice]; }
    dx[index] = value;`,
    cost: { flops: 0, bytes: storedBytes(stored) * B * (T + count) * D },
  })
}

/** B, T, D. */
export type Shape3 = readonly [number, number, number]

function sliceParameters(T: number, D: number, start: number, count: number, width: 1 | 4) {
  return [
    ['sampleSize: u32', (T * D) / width],
    ['sliceSize: u32', (count * D) / width],
    ['offset: u32', (start * D) / width],
  ] as const
}

/**
 * y[b] = tokens of a[b], then those of b[b] `repeat` times over. An operand of batch 1 serves every sample.
 * a [B or 1, T1, D], b [B or 1, T2, D], y [B, T1 + repeat·T2, D], which is f16 if an operand is. Bindings: a,
 * b, y.
 */
export function concatRows(
  caps: KernelCaps,
  B: number,
  a: Shape3,
  b: Shape3,
  repeat: number,
  aStored: StoredType,
  bStored: StoredType,
): Kernel {
  const [aBatch, T1, D] = a
  const [bBatch, T2] = b
  const width = valueWidth(D)
  const [aSize, bSize] = [(T1 * D) / width, (T2 * D) / width]
  const tokens = T1 + repeat * T2
  const stored = aStored === 'f16' || bStored === 'f16' ? 'f16' : 'f32'
  return perValueKernel(caps, {
    name: 'concatRows',
    variant: `${aStored}/${bStored}`,
    values: (B * tokens * D) / width,
    width,
    stored,
    buffers: [{ ...readOnly('a'), stored: aStored }, { ...readOnly('b'), stored: bStored }, writable('y')],
    parameters: [
      ['aSize: u32', aSize],
      ['bSize: u32', bSize],
      // From one sample to the next; 0 repeats the first.
      ['aStride: u32', aBatch === 1 ? 0 : aSize],
      ['bStride: u32', bBatch === 1 ? 0 : bSize],
      ['sampleSize: u32', (tokens * D) / width],
    ],
    statement: `
    let sample = index / params.sampleSize;
    let inSample = index % params.sampleSize;
    if (inSample < params.aSize) {
      y[index] = Held(a[sample * params.aStride + inSample]);
    } else {
      y[index] = Held(b[sample * params.bStride + (inSample - params.aSize) % params.bSize]);
    }`,
    cost: {
      flops: 0,
      bytes:
        storedBytes(stored) * B * tokens * D +
        (storedBytes(aStored) * aBatch * T1 + storedBytes(bStored) * bBatch * T2) * D,
    },
  })
}

/** y[b, t] = x[b, t] + position[firstRow + t]. x, y [B,T,D], position [P,D]. Bindings: x, position, y. */
export function addPositionForward(
  caps: KernelCaps,
  [B, T, D]: Shape3,
  firstRow: number,
  stored: StoredType,
): Kernel {
  const width = valueWidth(D)
  return perValueKernel(caps, {
    name: 'addPosition',
    values: (B * T * D) / width,
    width,
    stored,
    buffers: [readOnly('x'), { ...readOnly('position'), stored: 'f32' }, writable('y')],
    parameters: [
      ['sampleSize: u32', (T * D) / width],
      ['offset: u32', (firstRow * D) / width],
    ],
    statement: 'y[index] = Held(Value(x[index]) + position[params.offset + index % params.sampleSize]);',
    cost: { flops: B * T * D, bytes: (2 * storedBytes(stored) * B + 4) * T * D },
  })
}

/**
 * y[b, m] = x[b, m] + position[firstRow + indices[b, m]], for tokens that were picked out of a sequence.
 * x, y [B,M,D], position [P,D], indices u32 [B,M]. Bindings: x, position, indices, y.
 */
export function addPositionAt(
  caps: KernelCaps,
  [B, M, D]: Shape3,
  firstRow: number,
  stored: StoredType,
): Kernel {
  const width = valueWidth(D)
  return perValueKernel(caps, {
    name: 'addPositionAt',
    values: (B * M * D) / width,
    width,
    stored,
    buffers: [readOnly('x'), { ...readOnly('position'), stored: 'f32' }, indices, writable('y')],
    parameters: [
      ['columns: u32', D / width],
      ['firstRow: u32', firstRow],
    ],
    statement: `
    let row = params.firstRow + indices[index / params.columns];
    y[index] = Held(Value(x[index]) + position[row * params.columns + index % params.columns]);`,
    cost: { flops: B * M * D, bytes: (2 * storedBytes(stored) + 4) * B * M * D + 4 * B * M },
  })
}

/**
 * dPosition[firstRow + t] = Σ over the batch of dy[b, t], zero in the other rows: [B,T,D] → [P,D].
 * Bindings: dy, dPosition.
 */
export function addPositionBackward(
  caps: KernelCaps,
  [B, T, D]: Shape3,
  P: number,
  firstRow: number,
  stored: StoredType,
): Kernel {
  const width = valueWidth(D)
  return perValueKernel(caps, {
    name: 'addPositionBackward',
    values: (P * D) / width,
    width,
    stored,
    buffers: [readOnly('dy'), { ...writable('dPosition'), stored: 'f32' }],
    parameters: [
      ['batch: u32', B],
      ['sampleSize: u32', (T * D) / width],
      ['offset: u32', (firstRow * D) / width],
    ],
    statement: `
    // Wraps round to a large number before the rows used.
    let inSample = index - params.offset;
    var sum = Value(0.0);
    if (inSample < params.sampleSize) {
      for (var sample = 0u; sample < params.batch; sample++) {
        sum += Value(dy[sample * params.sampleSize + inSample]);
      }
    }
    dPosition[index] = sum;`,
    cost: { flops: B * T * D, bytes: storedBytes(stored) * B * T * D + 4 * P * D },
  })
}

/** y[b] = mean over the tokens start…T-1 of x[b]. x [B,T,D], y f32 [B,D]. Bindings: x, y. */
export function meanRowsForward(
  caps: KernelCaps,
  [B, T, D]: Shape3,
  start: number,
  stored: StoredType,
): Kernel {
  const width = valueWidth(D)
  return perValueKernel(caps, {
    name: 'meanRows',
    values: (B * D) / width,
    width,
    stored,
    buffers: [readOnly('x'), { ...writable('y'), stored: 'f32' }],
    parameters: meanParameters(T, D, start, width),
    statement: `
    let sample = index / params.columns;
    let sampleStart = sample * params.tokens * params.columns + index % params.columns;
    var sum = Value(0.0);
    for (var token = params.start; token < params.tokens; token++) {
      sum += Value(x[sampleStart + token * params.columns]);
    }
    y[index] = sum * params.inverseCount;`,
    cost: { flops: B * (T - start) * D, bytes: storedBytes(stored) * B * (T - start) * D + 4 * B * D },
  })
}

/** dx[b, t] = dy[b] / (T − start) for t ≥ start, else 0. dy f32 [B,D], dx [B,T,D]. Bindings: dy, dx. */
export function meanRowsBackward(
  caps: KernelCaps,
  [B, T, D]: Shape3,
  start: number,
  stored: StoredType,
): Kernel {
  const width = valueWidth(D)
  return perValueKernel(caps, {
    name: 'meanRowsBackward',
    values: (B * T * D) / width,
    width,
    stored,
    buffers: [{ ...readOnly('dy'), stored: 'f32' }, writable('dx')],
    parameters: meanParameters(T, D, start, width),
    statement: `
    let row = index / params.columns;
    let sample = row / params.tokens;
    let factor = select(0.0, params.inverseCount, row % params.tokens >= params.start);
    dx[index] = Held(factor * dy[sample * params.columns + index % params.columns]);`,
    cost: { flops: B * T * D, bytes: storedBytes(stored) * B * T * D + 4 * B * D },
  })
}

function meanParameters(T: number, D: number, start: number, width: 1 | 4) {
  return [
    ['tokens: u32', T],
    ['columns: u32', D / width],
    ['start: u32', start],
    ['inverseCount: f32', f32(1 / (T - start))],
  ] as const
}

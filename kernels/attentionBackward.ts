/**
 * Softmax attention, backward, in two kernels that rebuild the probabilities from the saved log-sum-exp.
 *
 * Maths    S = q·kᵀ/√d,  P = e^(S-L),  dP = dO·vᵀ,  δ = rowsum(dO∘O) = rowsum(P∘dP),  dS = P∘(dP - δ)
 *          dq = dS·k/√d,   dk = dSᵀ·q/√d,   dv = Pᵀ·dO            (Dao, FlashAttention-2, 2023, algorithm 2)
 * Kernels  queries: rows are queries, columns are keys; writes dq, and δ on the way, since it reads dO
 *          anyway.
 *          keys:    rows are keys, columns are queries; writes dk and dv; needs δ, so it runs second.
 *          A single pass would need atomic float adds into dq, hence a sum whose order changes from run to
 *          run.
 * Shapes   qkv, dqkv [B,T,3D] (the first kernel writes the query third, the second the rest), out, dOut
 *          [B,T,D], L, δ [B,H,T].
 * Mapping  see attention.ts and the variants' files.
 * Numerics f32 whatever the storage, fixed order, each sum serial over the columns. L and δ are stored in
 *          f32.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import {
  type AttentionPlan,
  type AttentionShape,
  type AttentionVariant,
  attentionPrelude,
  loaders,
  planKernel,
} from './attention.js'
import { attentionPlan } from './attentionPlan.js'
import { backwardKeysSubgroup, backwardQueriesSubgroup } from './attentionSubgroup.js'
import { addWeighted, entryPoint, loadTiles, storeBlock, tilesWgsl } from './attentionTiled.js'
import type { Kernel, KernelCaps } from './kernel.js'
import { type StoredType, storedBytes } from './stored.js'

/** Writes dq into dqkv, and δ [B,H,T] (f32). Bindings: qkv, out, logSumExp, dOut, dqkv, delta. */
export function attentionBackwardQueries(
  caps: KernelCaps,
  shape: AttentionShape,
  variant: AttentionVariant,
  stored: StoredType,
): Kernel {
  const plan = attentionPlan(caps, shape, variant, 1, stored)
  return {
    ...planKernel('attentionBackwardQueries', plan, shape),
    bindings: ['read', 'read', 'read', 'read', 'write', 'write'],
    cost: backwardCost(shape, 6, stored),
    code: () => (variant === 'subgroup' ? backwardQueriesSubgroup(plan) : queriesTiled(plan)),
  }
}

/** Writes dk and dv into dqkv. Bindings: qkv, logSumExp, dOut, delta, dqkv. */
export function attentionBackwardKeys(
  caps: KernelCaps,
  shape: AttentionShape,
  variant: AttentionVariant,
  stored: StoredType,
): Kernel {
  const plan = attentionPlan(caps, shape, variant, 2, stored)
  return {
    ...planKernel('attentionBackwardKeys', plan, shape),
    bindings: ['read', 'read', 'read', 'read', 'write'],
    cost: backwardCost(shape, 8, stored),
    code: () => (variant === 'subgroup' ? backwardKeysSubgroup(plan) : keysTiled(plan)),
  }
}

/** Each kernel reads or writes six rows of features, and two numbers, per token and head. */
function backwardCost(
  { batch, tokens, heads, headDim }: AttentionShape,
  products: number,
  stored: StoredType,
) {
  const rows = batch * heads * tokens
  return { flops: products * rows * tokens * headDim, bytes: rows * (6 * headDim * storedBytes(stored) + 8) }
}

/** Score and dP of this invocation's rows and columns; `row` and `dRow` load chunk i of row m. */
function productsWgsl(row: string, tile: string, dRow: string, dTile: string): string {
  return /* wgsl */ `
    var score = array<f32, rowsEach * columnsEach>();
    var dP = array<f32, rowsEach * columnsEach>();
    for (var i = 0u; i < params.chunks; i++) {
      for (var m = 0u; m < rowsEach; m++) {
        let row = ${row};
        let dRow = ${dRow};
        for (var n = 0u; n < columnsEach; n++) {
          let at = m * columnsEach + n;
          score[at] = dotAdd(row, ${tile}[i * stride + x + side * n], score[at]);
          dP[at] = dotAdd(dRow, ${dTile}[i * stride + x + side * n], dP[at]);
        }
      }
    }
`
}

function queriesTiled(plan: AttentionPlan): string {
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<StoredChunk>;
@group(0) @binding(1) var<storage, read> out: array<StoredChunk>;
@group(0) @binding(2) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(3) var<storage, read> dOut: array<StoredChunk>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<StoredChunk>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;
${loaders(plan, { loadQkv: 'qkv', loadOut: 'out', loadDOut: 'dOut' })}
${tilesWgsl(plan, ['keyTile', 'valueTile'], ['dScoreTile'])}
${entryPoint}
  var query = array<u32, rowsEach>();
  var output = array<u32, rowsEach>();
  var rowLogSumExp = array<f32, rowsEach>();
  for (var m = 0u; m < rowsEach; m++) {
    let row = min(block.firstRow + y + side * m, lastToken);
    query[m] = queryStart(block, row);
    output[m] = outStart(block, row);
    rowLogSumExp[m] = log2e * logSumExp[perToken(block, row)];
    // This invocation's share of the row's δ.
    var share = 0.0;
    for (var i = x; i < params.chunks; i += side) {
      share = dotAdd(loadOut(output[m] + i), loadDOut(output[m] + i), share);
    }
    dScoreTile[(y + side * m) * stride + x] = share;
  }
  workgroupBarrier();
  var rowDelta = array<f32, rowsEach>();
  for (var m = 0u; m < rowsEach; m++) {
    for (var n = 0u; n < side; n++) { rowDelta[m] += dScoreTile[(y + side * m) * stride + n]; }
    let row = block.firstRow + y + side * m;
    if (x == 0u && row <= lastToken) { delta[perToken(block, row)] = rowDelta[m]; }
  }
  var dQuery = array<Chunk, rowsEach * slots>();

  for (var first = 0u; first < params.tokens; first += columns) {
    ${loadTiles(['keyTile', 'loadQkv(keyStart(block, token)'], ['valueTile', 'loadQkv(valueStart(block, token)'])}
    ${productsWgsl('loadQkv(query[m] + i)', 'keyTile', 'loadDOut(output[m] + i)', 'valueTile')}
    for (var m = 0u; m < rowsEach; m++) {
      for (var n = 0u; n < columnsEach; n++) {
        let column = x + side * n;
        let at = m * columnsEach + n;
        let p = exp2(scale * score[at] - rowLogSumExp[m]);
        dScoreTile[(y + side * m) * stride + column] = p * (dP[at] - rowDelta[m]);
      }
    }
    workgroupBarrier();
    ${addWeighted('dQuery', 'dScoreTile', 'keyTile')}
  }
  ${storeBlock('dqkv', 'queryStart', 'params.scoreScale * dQuery[m * slots + s]')}
}
`
}

function keysTiled(plan: AttentionPlan): string {
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<StoredChunk>;
@group(0) @binding(1) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(2) var<storage, read> dOut: array<StoredChunk>;
@group(0) @binding(3) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<StoredChunk>;
@group(0) @binding(5) var<uniform> params: Params;
${loaders(plan, { loadQkv: 'qkv', loadDOut: 'dOut' })}
${tilesWgsl(plan, ['queryTile', 'dOutTile'], ['pTile', 'dScoreTile'])}
${entryPoint}
  var key = array<u32, rowsEach>();
  var value = array<u32, rowsEach>();
  for (var m = 0u; m < rowsEach; m++) {
    let row = min(block.firstRow + y + side * m, lastToken);
    key[m] = keyStart(block, row);
    value[m] = valueStart(block, row);
  }
  var dKey = array<Chunk, rowsEach * slots>();
  var dValue = array<Chunk, rowsEach * slots>();

  for (var first = 0u; first < params.tokens; first += columns) {
    ${loadTiles(['queryTile', 'loadQkv(queryStart(block, token)'], ['dOutTile', 'loadDOut(outStart(block, token)'])}
    ${productsWgsl('loadQkv(key[m] + i)', 'queryTile', 'loadQkv(value[m] + i)', 'dOutTile')}
    for (var n = 0u; n < columnsEach; n++) {
      let column = x + side * n;
      let at = perToken(block, min(first + column, lastToken));
      let columnLogSumExp = log2e * logSumExp[at];
      let columnDelta = delta[at];
      for (var m = 0u; m < rowsEach; m++) {
        let p = exp2(scale * score[m * columnsEach + n] - columnLogSumExp);
        pTile[(y + side * m) * stride + column] = p;
        dScoreTile[(y + side * m) * stride + column] = p * (dP[m * columnsEach + n] - columnDelta);
      }
    }
    workgroupBarrier();
    ${addWeighted('dKey', 'dScoreTile', 'queryTile')}
    ${addWeighted('dValue', 'pTile', 'dOutTile')}
  }
  ${storeBlock('dqkv', 'keyStart', 'params.scoreScale * dKey[m * slots + s]')}
  ${storeBlock('dqkv', 'valueStart', 'dValue[m * slots + s]')}
}
`
}

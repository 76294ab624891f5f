/**
 * Softmax attention, forward, in one pass over the keys.
 *
 * Maths    S = q·kᵀ/√d,  P = softmax(S),  O = P·v,  L = log Σ exp S  (all that backward needs to rebuild P).
 *          Online softmax: with the running maximum m and sum l of the keys seen so far, a group of keys with
 *          scores s gives
 *            m' = max(m, s),  p = e^(s-m'),  l' = l·e^(m-m') + Σp,  o' = o·e^(m-m') + Σ p·v;
 *            O = o/l,  L = m + ln l.
 *          Milakov & Gimelshein 2018; Rabe & Staats 2021; Dao, FlashAttention-2, 2023. No T×T matrix exists
 *          anywhere.
 * Shapes   qkv [B,T,3D] → out [B,T,D], L [B,H,T].
 * Mapping  rows are queries, columns are keys with their values: see attention.ts and the variants' files.
 * Numerics f32 whatever the storage, fixed order; o is rescaled once per group of keys.
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
import { forwardSubgroup } from './attentionSubgroup.js'
import { addWeighted, entryPoint, loadTiles, storeBlock, tilesWgsl } from './attentionTiled.js'
import type { Kernel, KernelCaps } from './kernel.js'
import { type StoredType, storedBytes } from './stored.js'

/** qkv [B,T,3D] → out [B,T,D] and log-sum-exp [B,H,T] (f32, natural log). Bindings: qkv, out, logSumExp. */
export function attentionForward(
  caps: KernelCaps,
  shape: AttentionShape,
  variant: AttentionVariant,
  stored: StoredType,
): Kernel {
  const plan = attentionPlan(caps, shape, variant, 1, stored)
  const { batch, tokens, heads, headDim } = shape
  const rows = batch * heads * tokens
  return {
    ...planKernel('attentionForward', plan, shape),
    bindings: ['read', 'write', 'write'],
    cost: {
      flops: 4 * rows * tokens * headDim,
      bytes: rows * (4 * headDim * storedBytes(stored) + 4),
    },
    code: () => (variant === 'subgroup' ? forwardSubgroup(plan) : forwardTiled(plan)),
  }
}

function forwardTiled(plan: AttentionPlan): string {
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<StoredChunk>;
@group(0) @binding(1) var<storage, read_write> out: array<StoredChunk>;
@group(0) @binding(2) var<storage, read_write> logSumExp: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
${loaders(plan, { loadQkv: 'qkv' })}
${tilesWgsl(plan, ['keyTile', 'valueTile'], ['scoreTile'])}
// What each row's sums are to be multiplied with.
var<workgroup> rowFactor: array<f32, ${plan.rows}>;
${entryPoint}
  var query = array<u32, rowsEach>();
  for (var m = 0u; m < rowsEach; m++) {
    query[m] = queryStart(block, min(block.firstRow + y + side * m, lastToken));
  }
  var sum = array<Chunk, rowsEach * slots>();
  // Of row \`lane\`, in the first invocations.
  var largest = lowest;
  var total = 0.0;

  for (var first = 0u; first < params.tokens; first += columns) {
    ${loadTiles(['keyTile', 'loadQkv(keyStart(block, token)'], ['valueTile', 'loadQkv(valueStart(block, token)'])}
    var score = array<f32, rowsEach * columnsEach>();
    for (var i = 0u; i < params.chunks; i++) {
      for (var m = 0u; m < rowsEach; m++) {
        let q = loadQkv(query[m] + i);
        for (var n = 0u; n < columnsEach; n++) {
          score[m * columnsEach + n] = dotAdd(q, keyTile[i * stride + x + side * n], score[m * columnsEach + n]);
        }
      }
    }
    for (var m = 0u; m < rowsEach; m++) {
      for (var n = 0u; n < columnsEach; n++) {
        let column = x + side * n;
        scoreTile[(y + side * m) * stride + column] = scale * score[m * columnsEach + n];
      }
    }
    workgroupBarrier();
    if (lane < rows) {
      var newLargest = largest;
      for (var j = 0u; j < count; j++) { newLargest = max(newLargest, scoreTile[lane * stride + j]); }
      let shrink = exp2(largest - newLargest);
      largest = newLargest;
      total *= shrink;
      for (var j = 0u; j < count; j++) {
        let p = exp2(scoreTile[lane * stride + j] - largest);
        scoreTile[lane * stride + j] = p;
        total += p;
      }
      rowFactor[lane] = shrink;
    }
    workgroupBarrier();
    for (var m = 0u; m < rowsEach; m++) {
      for (var s = 0u; s < slots; s++) { sum[m * slots + s] *= rowFactor[y + side * m]; }
    }
    ${addWeighted('sum', 'scoreTile', 'valueTile')}
  }

  workgroupBarrier();
  if (lane < rows) {
    rowFactor[lane] = 1.0 / total;
    let row = block.firstRow + lane;
    if (row <= lastToken) { logSumExp[perToken(block, row)] = (largest + log2(total)) / log2e; }
  }
  workgroupBarrier();
  ${storeBlock('out', 'outStart', 'rowFactor[y + side * m] * sum[m * slots + s]')}
}
`
}

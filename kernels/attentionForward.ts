/**
 * Softmax attention, forward, in one pass over the keys.
 *
 * Maths    S = q·kᵀ/√d,  P = softmax(S),  O = P·v,  L = log Σ exp S  (all that backward needs to rebuild P).
 *          Online softmax: with the running maximum m and sum l of the keys seen so far, a chunk of keys with scores s gives
 *            m' = max(m, s),  p = e^(s-m'),  l' = l·e^(m-m') + Σp,  o' = o·e^(m-m') + Σ p·v;   O = o/l,  L = m + ln l.
 *          Milakov & Gimelshein 2018; Rabe & Staats 2021; Dao, FlashAttention-2, 2023. No T×T matrix exists anywhere.
 * Shapes   qkv [B,T,3D] → out [B,T,D], L [B,H,T].
 * Mapping  see attention.ts: one invocation per query; its query and o are in registers (2d floats), keys and values pass
 *          by. Tiled: at most 16 KiB of workgroup memory for them.
 * Numerics f32, fixed order; o is rescaled once per chunk of keys.
 */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js'
import {
  type AttentionCaps,
  type AttentionPlan,
  type AttentionShape,
  attentionPlan,
  attentionPrelude,
  mainParameters,
  planKernel,
  rowLoader,
  rowStorer,
  rowType,
} from './attention.js'
import type { Kernel } from './kernel.js'

/** qkv [B,T,3D] → out [B,T,D] and log-sum-exp [B,H,T] (natural log). Bindings: qkv, out, logSumExp. */
export function attentionForward(caps: AttentionCaps, shape: AttentionShape): Kernel {
  const plan = attentionPlan(caps, shape)
  const { batch, tokens, heads, headDim } = shape
  return {
    ...planKernel('attentionForward', plan, shape),
    bindings: ['read', 'write', 'write'],
    cost: {
      flops: 4 * batch * heads * tokens * tokens * headDim,
      bytes: 4 * batch * heads * tokens * (4 * headDim + 1),
    },
    code: () => forwardCode(plan),
  }
}

function forwardCode(plan: AttentionPlan): string {
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<${rowType(plan)}>;
@group(0) @binding(1) var<storage, read_write> out: array<${rowType(plan)}>;
@group(0) @binding(2) var<storage, read_write> logSumExp: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

${rowLoader(plan, 'loadQkv', 'qkv')}
${rowStorer(plan, 'storeOut', 'out')}

#if ${plan.tiled}
var<workgroup> keyTile: array<vec4f, ${plan.tile * plan.vectors}>;
var<workgroup> valueTile: array<vec4f, ${plan.tile * plan.vectors}>;
#endif

@compute @workgroup_size(rows)
fn main(${mainParameters(plan)}) {
  let blockIndex = flatWorkgroup(workgroup, workgroups);
  if (blockIndex >= params.blocks) { return; }
  let block = blockAt(blockIndex);
  let lastToken = params.tokens - 1u;
  let row = min(block.firstRow + lane, lastToken);

  var query: array<vec4f, vectors>;
  var sum: array<vec4f, vectors>;
  for (var i = 0u; i < vectorCount(); i++) {
    query[i] = (params.scoreScale * log2e) * loadQkv(queryStart(block, row), i);
    sum[i] = vec4f();
  }
  var largest = lowest;
  var total = 0.0;

  for (var first = 0u; first < params.tokens; first += tile) {
#if ${plan.tiled}
    workgroupBarrier();
    for (var n = lane; n < tile * vectors; n += rows) {
      let token = min(first + n / vectors, lastToken);
      keyTile[n] = loadQkv(keyStart(block, token), n % vectors);
      valueTile[n] = loadQkv(valueStart(block, token), n % vectors);
    }
    workgroupBarrier();
    for (var inTile = 0u; inTile < min(tile, params.tokens - first); inTile += chunk) {
#else
    let inTile = 0u;
    let key = keyStart(block, min(first + lane, lastToken));
    let value = valueStart(block, min(first + lane, lastToken));
#endif
    // Zeroed in so many words: Dawn (npm webgpu 0.6.2) does not reset variables of a loop that have no initialiser.
    var score = array<f32, chunk>();
    for (var i = 0u; i < vectorCount(); i++) {
      let q = query[i];
#if ${!plan.tiled}
      let mine = loadQkv(key, i);
#endif
      for (var j = 0u; j < chunk; j++) {
#if ${plan.tiled}
        score[j] += dot(q, keyTile[(inTile + j) * vectors + i]);
#else
        score[j] += dot(q, subgroupShuffle(mine, j));
#endif
      }
    }

    var newLargest = largest;
    for (var j = 0u; j < chunk; j++) {
      score[j] = select(lowest, score[j], first + inTile + j < params.tokens);
      newLargest = max(newLargest, score[j]);
    }
    let shrink = exp2(largest - newLargest);
    largest = newLargest;
    total *= shrink;
    for (var j = 0u; j < chunk; j++) {
      score[j] = exp2(score[j] - largest);
      total += score[j];
    }
    for (var i = 0u; i < vectorCount(); i++) {
      var s = sum[i] * shrink;
#if ${!plan.tiled}
      let mine = loadQkv(value, i);
#endif
      for (var j = 0u; j < chunk; j++) {
#if ${plan.tiled}
        s += score[j] * valueTile[(inTile + j) * vectors + i];
#else
        s += score[j] * subgroupShuffle(mine, j);
#endif
      }
      sum[i] = s;
    }
#if ${plan.tiled}
    }
#endif
  }

  if (block.firstRow + lane > lastToken) { return; }
  for (var i = 0u; i < vectorCount(); i++) {
    storeOut(outStart(block, row), i, sum[i] / total);
  }
  logSumExp[perToken(block, row)] = (largest + log2(total)) / log2e;
}
`
}

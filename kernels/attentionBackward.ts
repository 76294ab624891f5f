/**
 * Softmax attention, backward, in two kernels that rebuild the probabilities from the saved log-sum-exp.
 *
 * Maths    S = q·kᵀ/√d,  P = e^(S-L),  dP = dO·vᵀ,  δ = rowsum(dO∘O) = rowsum(P∘dP),  dS = P∘(dP - δ)
 *          dq = dS·k/√d,   dk = dSᵀ·q/√d,   dv = Pᵀ·dO            (Dao, FlashAttention-2, 2023, algorithm 2)
 * Kernels  queries: one invocation per query walks the keys; writes dq, and δ on the way, since it holds dO anyway.
 *          keys:    one invocation per key walks the queries; writes dk and dv; needs δ, so it runs second.
 *          A single pass would need atomic float adds into dq, hence a sum whose order changes from run to run.
 * Shapes   qkv, dqkv [B,T,3D] (the first kernel writes the query third, the second the rest), out, dOut [B,T,D], L, δ [B,H,T].
 * Mapping  see attention.ts. In registers: query, dO, dq (3d floats); key, value, dk, dv (4d floats).
 *          Tiled: at most 16 KiB of workgroup memory for the two rows per token of the other side.
 * Numerics f32, fixed order, each sum serial over the tokens of the other side.
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

/** Writes dq into dqkv, and δ [B,H,T]. Bindings: qkv, out, logSumExp, dOut, dqkv, delta. */
export function attentionBackwardQueries(caps: AttentionCaps, shape: AttentionShape): Kernel {
  const plan = attentionPlan(caps, shape)
  const { batch, tokens, heads, headDim } = shape
  return {
    ...planKernel('attentionBackwardQueries', plan, shape),
    bindings: ['read', 'read', 'read', 'read', 'write', 'write'],
    cost: {
      flops: 6 * batch * heads * tokens * tokens * headDim,
      bytes: 4 * batch * heads * tokens * (6 * headDim + 2),
    },
    code: () => queriesCode(plan),
  }
}

/** Writes dk and dv into dqkv. Bindings: qkv, logSumExp, dOut, delta, dqkv. */
export function attentionBackwardKeys(caps: AttentionCaps, shape: AttentionShape): Kernel {
  const plan = attentionPlan(caps, shape)
  const { batch, tokens, heads, headDim } = shape
  return {
    ...planKernel('attentionBackwardKeys', plan, shape),
    bindings: ['read', 'read', 'read', 'read', 'write'],
    cost: {
      flops: 8 * batch * heads * tokens * tokens * headDim,
      bytes: 4 * batch * heads * tokens * (6 * headDim + 2),
    },
    code: () => keysCode(plan),
  }
}

function queriesCode(plan: AttentionPlan): string {
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<${rowType(plan)}>;
@group(0) @binding(1) var<storage, read> out: array<${rowType(plan)}>;
@group(0) @binding(2) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(3) var<storage, read> dOut: array<${rowType(plan)}>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<${rowType(plan)}>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;
${rowLoader(plan, 'loadQkv', 'qkv')}
${rowLoader(plan, 'loadOut', 'out')}
${rowLoader(plan, 'loadDOut', 'dOut')}
${rowStorer(plan, 'storeDqkv', 'dqkv')}

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
  var dOutRow: array<vec4f, vectors>;
  var dQuery: array<vec4f, vectors>;
  var rowDelta = 0.0;
  for (var i = 0u; i < vectorCount(); i++) {
    query[i] = (params.scoreScale * log2e) * loadQkv(queryStart(block, row), i);
    dOutRow[i] = loadDOut(outStart(block, row), i);
    rowDelta += dot(dOutRow[i], loadOut(outStart(block, row), i));
    dQuery[i] = vec4f();
  }
  let rowLogSumExp = log2e * logSumExp[perToken(block, row)];

#if ${!plan.tiled}
  // What this lane fetched of the current chunk: read twice, and these arrays are nearer than storage.
  var keysOfLane: array<vec4f, vectors>;
#endif
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
    let keyOfLane = keyStart(block, min(first + lane, lastToken));
    let valueOfLane = valueStart(block, min(first + lane, lastToken));
#endif
    // Zeroed in so many words: Dawn (npm webgpu 0.6.2) does not reset variables of a loop that have no initialiser.
    var score = array<f32, chunk>();
    var dP = array<f32, chunk>();
    for (var i = 0u; i < vectorCount(); i++) {
      let q = query[i];
      let dO = dOutRow[i];
#if ${!plan.tiled}
      let keys = loadQkv(keyOfLane, i);
      keysOfLane[i] = keys;
      let values = loadQkv(valueOfLane, i);
#endif
      for (var j = 0u; j < chunk; j++) {
#if ${plan.tiled}
        score[j] += dot(q, keyTile[(inTile + j) * vectors + i]);
        dP[j] += dot(dO, valueTile[(inTile + j) * vectors + i]);
#else
        score[j] += dot(q, subgroupShuffle(keys, j));
        dP[j] += dot(dO, subgroupShuffle(values, j));
#endif
      }
    }

    var dScore = array<f32, chunk>();
    for (var j = 0u; j < chunk; j++) {
      let exists = first + inTile + j < params.tokens;
      dScore[j] = select(0.0, exp2(score[j] - rowLogSumExp) * (dP[j] - rowDelta), exists);
    }

    for (var i = 0u; i < vectorCount(); i++) {
      var sum = dQuery[i];
#if ${!plan.tiled}
      let keys = keysOfLane[i];
#endif
      for (var j = 0u; j < chunk; j++) {
#if ${plan.tiled}
        sum += dScore[j] * keyTile[(inTile + j) * vectors + i];
#else
        sum += dScore[j] * subgroupShuffle(keys, j);
#endif
      }
      dQuery[i] = sum;
    }
#if ${plan.tiled}
    }
#endif
  }

  if (block.firstRow + lane > lastToken) { return; }
  for (var i = 0u; i < vectorCount(); i++) {
    storeDqkv(queryStart(block, row), i, params.scoreScale * dQuery[i]);
  }
  delta[perToken(block, row)] = rowDelta;
}
`
}

function keysCode(plan: AttentionPlan): string {
  return wgsl`
${attentionPrelude(plan)}
@group(0) @binding(0) var<storage, read> qkv: array<${rowType(plan)}>;
@group(0) @binding(1) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(2) var<storage, read> dOut: array<${rowType(plan)}>;
@group(0) @binding(3) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<${rowType(plan)}>;
@group(0) @binding(5) var<uniform> params: Params;
${rowLoader(plan, 'loadQkv', 'qkv')}
${rowLoader(plan, 'loadDOut', 'dOut')}
${rowStorer(plan, 'storeDqkv', 'dqkv')}

#if ${plan.tiled}
var<workgroup> queryTile: array<vec4f, ${plan.tile * plan.vectors}>;
var<workgroup> dOutTile: array<vec4f, ${plan.tile * plan.vectors}>;
#endif

@compute @workgroup_size(rows)
fn main(${mainParameters(plan)}) {
  let blockIndex = flatWorkgroup(workgroup, workgroups);
  if (blockIndex >= params.blocks) { return; }
  let block = blockAt(blockIndex);
  let lastToken = params.tokens - 1u;
  let row = min(block.firstRow + lane, lastToken);

  var key: array<vec4f, vectors>;
  var value: array<vec4f, vectors>;
  var dKey: array<vec4f, vectors>;
  var dValue: array<vec4f, vectors>;
  for (var i = 0u; i < vectorCount(); i++) {
    key[i] = (params.scoreScale * log2e) * loadQkv(keyStart(block, row), i);
    value[i] = loadQkv(valueStart(block, row), i);
    dKey[i] = vec4f();
    dValue[i] = vec4f();
  }

#if ${!plan.tiled}
  // What this lane fetched of the current chunk: read twice, and these arrays are nearer than storage.
  var queriesOfLane: array<vec4f, vectors>;
  var dOutsOfLane: array<vec4f, vectors>;
#endif
  for (var first = 0u; first < params.tokens; first += tile) {
#if ${plan.tiled}
    workgroupBarrier();
    for (var n = lane; n < tile * vectors; n += rows) {
      let token = min(first + n / vectors, lastToken);
      queryTile[n] = loadQkv(queryStart(block, token), n % vectors);
      dOutTile[n] = loadDOut(outStart(block, token), n % vectors);
    }
    workgroupBarrier();
    for (var inTile = 0u; inTile < min(tile, params.tokens - first); inTile += chunk) {
#else
    let inTile = 0u;
    let tokenOfLane = min(first + lane, lastToken);
    let queryOfLane = queryStart(block, tokenOfLane);
    let dOutOfLane = outStart(block, tokenOfLane);
    let logSumExpOfLane = logSumExp[perToken(block, tokenOfLane)];
    let deltaOfLane = delta[perToken(block, tokenOfLane)];
#endif
    // Zeroed in so many words: Dawn (npm webgpu 0.6.2) does not reset variables of a loop that have no initialiser.
    var score = array<f32, chunk>();
    var dP = array<f32, chunk>();
    for (var i = 0u; i < vectorCount(); i++) {
      let k = key[i];
      let v = value[i];
#if ${!plan.tiled}
      let queries = loadQkv(queryOfLane, i);
      let dOuts = loadDOut(dOutOfLane, i);
      queriesOfLane[i] = queries;
      dOutsOfLane[i] = dOuts;
#endif
      for (var j = 0u; j < chunk; j++) {
#if ${plan.tiled}
        score[j] += dot(k, queryTile[(inTile + j) * vectors + i]);
        dP[j] += dot(v, dOutTile[(inTile + j) * vectors + i]);
#else
        score[j] += dot(k, subgroupShuffle(queries, j));
        dP[j] += dot(v, subgroupShuffle(dOuts, j));
#endif
      }
    }

    var p = array<f32, chunk>();
    var dScore = array<f32, chunk>();
    for (var j = 0u; j < chunk; j++) {
      let token = first + inTile + j;
#if ${plan.tiled}
      let at = perToken(block, min(token, lastToken));
      let tokenLogSumExp = logSumExp[at];
      let tokenDelta = delta[at];
#else
      let tokenLogSumExp = subgroupShuffle(logSumExpOfLane, j);
      let tokenDelta = subgroupShuffle(deltaOfLane, j);
#endif
      p[j] = select(0.0, exp2(score[j] - log2e * tokenLogSumExp), token < params.tokens);
      dScore[j] = p[j] * (dP[j] - tokenDelta);
    }

    for (var i = 0u; i < vectorCount(); i++) {
      var dK = dKey[i];
      var dV = dValue[i];
#if ${!plan.tiled}
      let queries = queriesOfLane[i];
      let dOuts = dOutsOfLane[i];
#endif
      for (var j = 0u; j < chunk; j++) {
#if ${plan.tiled}
        dK += dScore[j] * queryTile[(inTile + j) * vectors + i];
        dV += p[j] * dOutTile[(inTile + j) * vectors + i];
#else
        dK += dScore[j] * subgroupShuffle(queries, j);
        dV += p[j] * subgroupShuffle(dOuts, j);
#endif
      }
      dKey[i] = dK;
      dValue[i] = dV;
    }
#if ${plan.tiled}
    }
#endif
  }

  if (block.firstRow + lane > lastToken) { return; }
  for (var i = 0u; i < vectorCount(); i++) {
    storeDqkv(keyStart(block, row), i, params.scoreScale * dKey[i]);
    storeDqkv(valueStart(block, row), i, dValue[i]);
  }
}
`
}

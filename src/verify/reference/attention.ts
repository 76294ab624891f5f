import { type Array64, assign, map, times, transposed, zeros } from '../array64.js'
import type { Reference } from './reference.js'

/** softmax(q·kᵀ/√d)·v per sample and head; rows of qkv are [all q | all k | all v], head-major. */
export function attentionReference(heads: number): Reference {
  return {
    forward([qkv]) {
      const [batch, tokens, width] = sizes(qkv)
      const y = zeros([batch, tokens, width])
      forEachHead(batch, heads, (b, h) => {
        const { v, weights } = head(qkv, b, h, heads)
        assign(columns(y, b, h * v.shape[1], v.shape[1]), times(weights, v))
      })
      return y
    },
    gradients([qkv], dy) {
      const [batch, , width] = sizes(qkv)
      const d = width / heads
      const dqkv = zeros(qkv.shape)
      forEachHead(batch, heads, (b, h) => {
        const { q, k, v, weights } = head(qkv, b, h, heads)
        const dOut = columns(dy, b, h * d, d)
        const dWeights = times(dOut, transposed(v))
        const dScores = map(softmaxGradient(weights, dWeights), (value) => value / Math.sqrt(d))
        assign(columns(dqkv, b, h * d, d), times(dScores, k))
        assign(columns(dqkv, b, width + h * d, d), times(transposed(dScores), q))
        assign(columns(dqkv, b, 2 * width + h * d, d), times(transposed(weights), dOut))
      })
      return [dqkv]
    },
  }
}

function sizes(qkv: Array64): readonly [number, number, number] {
  return [qkv.shape[0], qkv.shape[1], qkv.shape[2] / 3]
}

function forEachHead(batch: number, heads: number, body: (b: number, h: number) => void): void {
  for (let b = 0; b < batch; b++) for (let h = 0; h < heads; h++) body(b, h)
}

/** A view of some columns of one sample, [tokens, count]. */
function columns(x: Array64, b: number, first: number, count: number): Array64 {
  return x.pick(b, null, null).lo(0, first).hi(x.shape[1], count)
}

function head(qkv: Array64, b: number, h: number, heads: number) {
  const width = sizes(qkv)[2]
  const d = width / heads
  const [q, k, v] = [0, 1, 2].map((part) => columns(qkv, b, part * width + h * d, d))
  const scores = map(times(q, transposed(k)), (value) => value / Math.sqrt(d))
  return { q: q, k: k, v: v, weights: softmaxRows(scores) }
}

function softmaxRows(scores: Array64): Array64 {
  const out = zeros(scores.shape)
  const n = scores.shape[1]
  for (let start = 0; start < scores.size; start += n) {
    const row = scores.data.subarray(start, start + n)
    const maximum = row.reduce((a, b) => Math.max(a, b))
    const sum = row.reduce((total, value) => total + Math.exp(value - maximum), 0)
    for (let j = 0; j < n; j++) out.data[start + j] = Math.exp(row[j] - maximum) / sum
  }
  return out
}

/** dS = P·(dP − Σ dP·P), row by row. */
function softmaxGradient(weights: Array64, dWeights: Array64): Array64 {
  const n = weights.shape[1]
  const dot = new Float64Array(weights.shape[0])
  for (let i = 0; i < weights.size; i++) dot[Math.floor(i / n)] += weights.data[i] * dWeights.data[i]
  return map(weights, (p, i) => p * (dWeights.data[i] - dot[Math.floor(i / n)]))
}

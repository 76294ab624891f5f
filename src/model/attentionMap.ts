import { layerNorm } from '../engine/ops/layerNorm.js'
import { linear } from '../engine/ops/linear.js'
import type { HostArray, Tensor } from '../engine/tensor.js'
import { patchCount, type VitConfig } from './config.js'
import { type Encoder, encode, requireImages } from './vit.js'

/**
 * Where the encoder looks: the attention of the last block, averaged over heads and over the patch tokens as queries
 * (which the classifier pools). The column of the cls token is dropped and the rest normalized to sum 1. Images
 * [B, 3, S, S], not masked → [B, L] in row-major order of the patches.
 *
 * @throws ShapeError if the image size is not that of the model.
 */
export async function attentionMap(model: Encoder, images: Tensor): Promise<Float32Array> {
  const { config } = model
  requireImages('attentionMap', images, config)
  const qkv = await readLastQkv(model, images)
  const L = patchCount(config)
  const values = (1 + L) * 3 * config.width
  const map = new Float32Array(images.shape[0] * L)
  for (let b = 0; b * L < map.length; b++) {
    map.set(pooledAttention(qkv.subarray(b * values, (b + 1) * values), config), b * L)
  }
  return map
}

/** q and k are small, so the host computes this in float64. */
async function readLastQkv(model: Encoder, images: Tensor): Promise<Float32Array> {
  let reading: Promise<HostArray> | undefined
  images.runtime.scope(() => {
    reading = lastQkv(model, images).read()
    return undefined
  })
  return (await reading) as Float32Array
}

/** Queries, keys and values of the last block: [B, 1 + L, 3D]. */
function lastQkv(model: Encoder, images: Tensor): Tensor {
  const { parameters, config } = model
  const last = config.depth - 1
  const p = (name: string) => parameters.get(`blocks.${last}.${name}`)
  const x = encode(images, model, { blocks: last })
  const norm = layerNorm(x, p('norm1.weight'), p('norm1.bias'), config.layerNormEps)
  return linear(norm, p('attn.qkv.weight'), p('attn.qkv.bias'))
}

/** Σ over heads and patch queries of softmax(q·kᵀ/√d) without the cls column, divided by its sum. qkv [1 + L, 3D] of one image → [L]. */
function pooledAttention(qkv: Float32Array, config: VitConfig): Float64Array {
  const L = patchCount(config)
  const headDim = config.width / config.heads
  const pooled = new Float64Array(L)
  for (let head = 0; head < config.heads; head++) {
    for (let query = 1; query <= L; query++) {
      const row = attentionRow(qkv, query, head * headDim, config.width, headDim)
      for (let key = 1; key <= L; key++) pooled[key - 1] += row[key]
    }
  }
  const sum = pooled.reduce((total, value) => total + value, 0)
  return pooled.map((value) => value / sum)
}

/** softmax(q·kᵀ/√d) of one query token in one head, over all tokens. `first` is the head's first column. */
function attentionRow(qkv: Float32Array, query: number, first: number, width: number, headDim: number) {
  const stride = 3 * width
  const q = query * stride + first
  const row = new Float64Array(qkv.length / stride)
  for (let token = 0; token < row.length; token++) {
    const k = token * stride + width + first
    for (let i = 0; i < headDim; i++) row[token] += qkv[q + i] * qkv[k + i]
    row[token] /= Math.sqrt(headDim)
  }
  const largest = row.reduce((a, b) => Math.max(a, b))
  const weights = row.map((score) => Math.exp(score - largest))
  const sum = weights.reduce((total, value) => total + value, 0)
  return weights.map((value) => value / sum)
}

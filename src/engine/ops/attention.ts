import { type AttentionShape, attentionVariants, maxHeadDim } from '../../../kernels/attention.js'
import { attentionBackwardKeys, attentionBackwardQueries } from '../../../kernels/attentionBackward.js'
import { attentionForward } from '../../../kernels/attentionForward.js'
import { gradientTarget, needsGrad, record } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'

/**
 * Multi-head self-attention core: softmax(q·kᵀ/√d)·v for every sample and head. qkv [B,T,3D] → [B,T,D]; a row of qkv is
 * [all queries | all keys | all values], each head-major, D = heads·d. No T×T matrix is ever stored: forward keeps the
 * log-sum-exp of every row of scores, backward rebuilds the probabilities from it.
 * Rabe & Staats 2021; Dao, FlashAttention-2, 2023.
 * @throws ShapeError if qkv is not [B,T,3·heads·d] with 1 ≤ d ≤ 128.
 */
export function attention(qkv: Tensor, heads: number): Tensor {
  const shape = attentionShape(qkv, heads)
  const { runtime, dtype, stored } = qkv
  const { caps } = runtime
  const { batch, tokens, headDim } = shape
  const variant = attentionVariants(caps)[0]!
  const out = runtime.empty([batch, tokens, heads * headDim], dtype)
  const logSumExp = runtime.empty([batch, heads, tokens])
  runtime.dispatch(attentionForward(caps, shape, variant, stored), [qkv, out, logSumExp])

  const backward = (dOut: Tensor) => {
    if (!needsGrad(qkv)) return [null]
    const dqkv = gradientTarget(qkv)
    const delta = runtime.empty([batch, heads, tokens])
    const forQueries = attentionBackwardQueries(caps, shape, variant, stored)
    runtime.dispatch(forQueries, [qkv, out, logSumExp, dOut, dqkv, delta])
    const forKeys = attentionBackwardKeys(caps, shape, variant, stored)
    runtime.dispatch(forKeys, [qkv, logSumExp, dOut, delta, dqkv])
    delta.dispose()
    return [dqkv]
  }
  return record('attention', out, [qkv], backward, [logSumExp])
}

function attentionShape(qkv: Tensor, heads: number): AttentionShape {
  const [batch = 0, tokens = 0, width = 0] = qkv.shape
  const headDim = width / (3 * heads)
  if (qkv.shape.length !== 3 || batch < 1 || tokens < 1) {
    throw new ShapeError('attention', `qkv must be [B,T,3D] and not empty, got [${qkv.shape}]`)
  }
  if (!Number.isInteger(headDim) || headDim < 1) {
    const wants = `3·${heads} heads of equal size`
    throw new ShapeError('attention', `qkv has rows of ${width} [${qkv.shape}], wants ${wants}`)
  }
  if (headDim > maxHeadDim) {
    throw new ShapeError(
      'attention',
      `head dim is ${headDim} ([${qkv.shape}], ${heads} heads), at most ${maxHeadDim}`,
    )
  }
  return { batch, tokens, heads, headDim }
}

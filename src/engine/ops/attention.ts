import {
  type AttentionShape,
  type AttentionVariant,
  attentionVariants,
  MAX_HEAD_DIM,
} from '../../../kernels/attention.js'
import { attentionBackwardKeys, attentionBackwardQueries } from '../../../kernels/attentionBackward.js'
import { attentionForward } from '../../../kernels/attentionForward.js'
import type { StoredType } from '../../../kernels/stored.js'
import { gradientTarget, needsGrad, recordOp } from '../autograd.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'
import type { Tunable } from '../variants.js'

/** One call of attention, as far as the choice of kernels goes. */
interface AttentionSpec extends AttentionShape {
  readonly stored: StoredType
}

/** Forward and backward run the same variant. */
const attentionTunable: Tunable<AttentionSpec, Tensor> = {
  family: 'attention',
  shapeClass: ({ tokens, headDim, stored }) => `T${tokens} d${headDim} ${stored}`,
  candidates: attentionVariants,
  flops: ({ batch, tokens, heads, headDim }) => 18 * batch * heads * tokens * tokens * headDim,
  operands: ({ batch, tokens, heads, headDim, stored }) => [
    { shape: [batch, tokens, 3 * heads * headDim], dtype: stored },
    { shape: [batch, tokens, heads * headDim], dtype: stored },
  ],
  run: (spec, variant, [qkv, dOut]) => {
    const { out, logSumExp } = forward(spec, variant as AttentionVariant, qkv)
    const dqkv = qkv.runtime.empty(qkv.shape, qkv.dtype)
    backward(spec, variant as AttentionVariant, [qkv, out, logSumExp, dOut, dqkv])
    return [out, dqkv]
  },
}

/**
 * Multi-head self-attention core: softmax(q·kᵀ/√d)·v for every sample and head. qkv [B,T,3D], f32 or f16 →
 * [B,T,D] of the same type; a row of qkv is [all queries | all keys | all values], each head-major, D =
 * heads·d. No T×T matrix is ever stored: forward keeps the log-sum-exp of every row of scores, backward
 * rebuilds the probabilities from it. Rabe & Staats 2021; Dao, FlashAttention-2, 2023.
 * @throws ShapeError if qkv is not [B,T,3·heads·d] with 1 ≤ d ≤ 128.
 */
export function attention(qkv: Tensor, heads: number): Tensor {
  const spec = { ...attentionShape(qkv, heads), stored: qkv.stored }
  const variant = qkv.runtime.variants.choose(attentionTunable, spec) as AttentionVariant
  const { out, logSumExp } = forward(spec, variant, qkv)
  const gradient = (dOut: Tensor) => {
    if (!needsGrad(qkv)) return [null]
    const dqkv = gradientTarget(qkv)
    backward(spec, variant, [qkv, out, logSumExp, dOut, dqkv])
    return [dqkv]
  }
  return recordOp('attention', out, [qkv], gradient, [logSumExp])
}

function forward(spec: AttentionSpec, variant: AttentionVariant, qkv: Tensor) {
  const { batch, tokens, heads, headDim, stored } = spec
  const { runtime } = qkv
  const out = runtime.empty([batch, tokens, heads * headDim], stored)
  const logSumExp = runtime.empty([batch, heads, tokens])
  runtime.dispatch(attentionForward(runtime.caps, spec, variant, stored), [qkv, out, logSumExp])
  return { out, logSumExp }
}

/** Fills dqkv. */
function backward(
  spec: AttentionSpec,
  variant: AttentionVariant,
  [qkv, out, logSumExp, dOut, dqkv]: readonly [Tensor, Tensor, Tensor, Tensor, Tensor],
): void {
  const { batch, tokens, heads, stored } = spec
  const { runtime } = qkv
  const delta = runtime.empty([batch, heads, tokens])
  const forQueries = attentionBackwardQueries(runtime.caps, spec, variant, stored)
  runtime.dispatch(forQueries, [qkv, out, logSumExp, dOut, dqkv, delta])
  const forKeys = attentionBackwardKeys(runtime.caps, spec, variant, stored)
  runtime.dispatch(forKeys, [qkv, logSumExp, dOut, delta, dqkv])
  delta.dispose()
}

function attentionShape(qkv: Tensor, heads: number): AttentionShape {
  const [batch = 0, tokens = 0, width = 0] = qkv.shape
  const headDim = width / (3 * heads)
  if (qkv.shape.length !== 3 || batch < 1 || tokens < 1) {
    throw new ShapeError('attention', `qkv must be [B,T,3D] and not empty, got [${qkv.shape}]`)
  }
  if (!Number.isInteger(headDim) || headDim < 1) {
    const wants = `3·${heads} heads of equal size`
    throw new ShapeError('attention', `qkv has rows of ${width} [${qkv.shape}], expected ${wants}`)
  }
  if (headDim > MAX_HEAD_DIM) {
    throw new ShapeError(
      'attention',
      `head dim is ${headDim} ([${qkv.shape}], ${heads} heads), at most ${MAX_HEAD_DIM}`,
    )
  }
  return { batch, tokens, heads, headDim }
}

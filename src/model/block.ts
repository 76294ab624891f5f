import { activationCheckpoint } from '../engine/activationCheckpoint.js'
import { attention } from '../engine/ops/attention.js'
import { layerNorm } from '../engine/ops/layerNorm.js'
import { linear, linearResidual } from '../engine/ops/linear.js'
import { residual } from '../engine/ops/residual.js'
import type { ParameterArena, ParameterSpec } from '../engine/parameters.js'
import type { Tensor } from '../engine/tensor.js'
import type { Execution } from './execution.js'
import { type InitStyle, linearParameters, normParameters } from './initialisation.js'

export interface BlockConfig {
  readonly width: number
  readonly heads: number
  readonly mlpRatio: number
  readonly layerNormEps: number
}

/** Scales [B] of a block's two branches: 0 where dropped, 1/keep elsewhere; null drops nothing. */
export interface BranchScales {
  readonly attention: Tensor
  readonly mlp: Tensor
}

export function blockParameters(
  prefix: string,
  { width, mlpRatio }: BlockConfig,
  style: InitStyle,
): ParameterSpec[] {
  const hidden = width * mlpRatio
  return [
    ...normParameters(`${prefix}.norm1`, width),
    ...linearParameters(`${prefix}.attn.qkv`, 3 * width, width, style),
    ...linearParameters(`${prefix}.attn.proj`, width, width, style),
    ...normParameters(`${prefix}.norm2`, width),
    ...linearParameters(`${prefix}.mlp.fc1`, hidden, width, style),
    ...linearParameters(`${prefix}.mlp.fc2`, width, hidden, style),
  ]
}

/**
 * Pre-norm transformer block: x += attention(norm1(x)); x += mlp(norm2(x)). x: [B, T, D] → same.
 * Dosovitskiy et al. 2021, "An image is worth 16×16 words".
 */
export function block(
  x: Tensor,
  parameters: ParameterArena,
  prefix: string,
  { heads, layerNormEps }: BlockConfig,
  scales: BranchScales | null,
): Tensor {
  const run = () => {
    const p = (name: string) => parameters.get(`${prefix}.${name}`)
    const norm1 = layerNorm(x, p('norm1.weight'), p('norm1.bias'), layerNormEps)
    const qkv = linear(norm1, p('attn.qkv.weight'), p('attn.qkv.bias'))
    const middle = branch(
      x,
      attention(qkv, heads),
      p('attn.proj.weight'),
      p('attn.proj.bias'),
      scales?.attention,
    )
    const norm2 = layerNorm(middle, p('norm2.weight'), p('norm2.bias'), layerNormEps)
    const hidden = linear(norm2, p('mlp.fc1.weight'), p('mlp.fc1.bias'), 'gelu')
    return branch(middle, hidden, p('mlp.fc2.weight'), p('mlp.fc2.bias'), scales?.mlp)
  }
  // Without a tape, nothing inside the block is needed later, so free it at once.
  return x.runtime.tape ? run() : x.runtime.scope(run)
}

/** x plus the last linear layer of a branch: in one kernel, unless samples are dropped. */
function branch(x: Tensor, inner: Tensor, weight: Tensor, bias: Tensor, keep: Tensor | undefined): Tensor {
  if (!keep) return linearResidual(inner, weight, bias, x)
  return residual(x, linear(inner, weight, bias), keep)
}

/** `block`; with activation checkpointing, backward recomputes the inside of the block instead of keeping it. */
export function blockFor({ checkpointActivations }: Execution): typeof block {
  if (!checkpointActivations) return block
  return (x, parameters, prefix, config, scales) => {
    const own = parameters.parameters.filter(({ name }) => name.startsWith(`${prefix}.`))
    return activationCheckpoint(x, own, (input) => block(input, parameters, prefix, config, scales))
  }
}

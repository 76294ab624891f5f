/**
 * The least memory in which a training step can be done without computing anything twice:
 *
 *   parameters + gradients + two moments of each + what backward must keep of the forward pass, all f32.
 *
 * What must be kept is what the formulas of the gradients name; N = rows (samples × tokens), D = width, M = hidden width of the MLP,
 * H = heads. Sums (residuals, position, bias) need nothing, and gathers, slices and means only indices.
 *
 *   block   norm1: its input N·D, mean and 1/σ 2N        dx of layer norm
 *           qkv layer: its input N·D                     dW = dyᵀ·x
 *           attention: qkv 3·N·D, output N·D, log-sum-exp N·H
 *           projection: its input is attention's output
 *           norm2: its input N·D, mean and 1/σ 2N
 *           fc1: its input N·D      GELU: its input N·M      fc2: its input N·M
 *           = N·(8D + 2M + H + 4)
 *
 * The patch embedding's input and the loss's target are read from the images, which exist anyway. Not counted: the working set of
 * backward (the gradient that is being handed on and what the layer at hand makes of it), which a step needs on top.
 */
import type { ParameterSpec } from '../src/engine/parameters.js'
import { elementCount } from '../src/engine/tensor.js'
import {
  CHANNELS,
  type ClassifierConfig,
  type FmaeConfig,
  keptPatches,
  patchCount,
  patchValues,
  type VitConfig,
} from '../src/model/config.js'

/** Value, gradient, first and second moment; a frozen parameter has its value only. */
export function parameterBytes(specs: readonly ParameterSpec[]): number {
  return specs.reduce((sum, { shape, frozen }) => sum + 4 * elementCount(shape) * (frozen ? 1 : 4), 0)
}

/** Bytes that backward must keep in pretraining of `batch` images. */
export function keptInPretraining(config: FmaeConfig, batch: number): number {
  const { width, depth, heads, mlpRatio, decoderWidth, decoderDepth, decoderHeads } = config
  const patches = patchCount(config)
  const seen = batch * (1 + keptPatches(config))
  const all = batch * (1 + patches)
  const encoder = depth * blockFloats(seen, width, mlpRatio * width, heads)
  const decoder = decoderDepth * blockFloats(all, decoderWidth, mlpRatio * decoderWidth, decoderHeads)
  // The last norms: input and statistics, and their outputs, which the linear layers after them need.
  const norms = seen * (2 * width + 2) + batch * patches * (2 * decoderWidth + 2)
  // The loss: prediction, mean and 1/σ of each target patch, mask; the masking: kept and restored places.
  const loss = batch * patches * (patchValues(config) + 3)
  const masking = batch * (keptPatches(config) + patches)
  return 4 * (imageFloats(config, batch) + encoder + decoder + norms + loss + masking)
}

/** Bytes that backward must keep in fine-tuning with `batch` images. */
export function keptInFineTuning(config: ClassifierConfig, batch: number): number {
  const { width, depth, heads, mlpRatio, aus, subjects, lambda } = config
  const rows = batch * (1 + patchCount(config))
  const encoder = depth * blockFloats(rows, width, mlpRatio * width, heads)
  // After the mean over tokens: norm with its output, logits and targets of both heads.
  const heading = batch * (2 * width + 2 + 2 * aus + (lambda > 0 ? 2 * subjects : 0))
  return 4 * (imageFloats(config, batch) + encoder + heading)
}

function blockFloats(rows: number, width: number, hidden: number, heads: number): number {
  return rows * (8 * width + 2 * hidden + heads + 4)
}

function imageFloats({ imageSize }: VitConfig, batch: number): number {
  return batch * CHANNELS * imageSize ** 2
}

import { type Array64, array64, map, zeros } from '../array64.js'
import type { Reference } from './reference.js'
import { patchifyReference } from './tokens.js'

/** Mean of −y·log σ(x) − (1−y)·log(1−σ(x)); inputs logits and targets. */
export const bceWithLogitsReference: Reference = {
  forward([x, y]) {
    let sum = 0
    for (let i = 0; i < x.size; i++) {
      const logit = x.data[i]
      sum += Math.max(logit, 0) - logit * y.data[i] + Math.log1p(Math.exp(-Math.abs(logit)))
    }
    return array64([sum / x.size], [1])
  },
  gradients([x, y], dy) {
    const scale = dy.data[0] / x.size
    return [map(x, (logit, i) => scale * (1 / (1 + Math.exp(-logit)) - y.data[i])), null]
  },
}

/** Softmax cross-entropy with label smoothing, the mean over rows; inputs logits [B,S] and labels [B]. */
export function softmaxCrossEntropyReference(smoothing: number): Reference {
  const target = (classes: number, label: number, c: number) =>
    smoothing / classes + (c === label ? 1 - smoothing : 0)
  return {
    forward([x, labels]) {
      const [batch, classes] = x.shape as [number, number]
      let loss = 0
      for (let b = 0; b < batch; b++) {
        const logSum = logSumExp(x, b)
        for (let c = 0; c < classes; c++)
          loss += (target(classes, labels.get(b), c) * (logSum - x.get(b, c))) / batch
      }
      return array64([loss], [1])
    },
    gradients([x, labels], dy) {
      const [batch, classes] = x.shape as [number, number]
      const dx = zeros(x.shape)
      for (let b = 0; b < batch; b++) {
        const logSum = logSumExp(x, b)
        for (let c = 0; c < classes; c++) {
          const difference = Math.exp(x.get(b, c) - logSum) - target(classes, labels.get(b), c)
          dx.set(b, c, (dy.data[0] * difference) / batch)
        }
      }
      return [dx, null]
    },
  }
}

function logSumExp(x: Array64, row: number): number {
  const n = x.shape[1]
  const values = x.data.subarray(row * n, (row + 1) * n)
  const maximum = values.reduce((a, b) => Math.max(a, b))
  return maximum + Math.log(values.reduce((sum, value) => sum + Math.exp(value - maximum), 0))
}

/**
 * MAE's loss; inputs pred, target [B,L,P] and mask [B,L]. 0 where nothing is masked. With a patch size the
 * target is images [B,C,S,S], whose patches are compared.
 */
export function maskedPatchLossReference(normPix: boolean, patchSize?: number): Reference {
  const wantedPatches = (target: Array64): Array64 => {
    const patches = patchSize ? patchifyReference(patchSize, 'hwc').forward([target]) : target
    return normPix ? normalisedPatches(patches) : patches
  }
  return {
    forward([pred, target, mask]) {
      const P = pred.shape[2]
      const wanted = wantedPatches(target)
      let sum = 0
      for (let i = 0; i < pred.size; i++)
        sum += (mask.data[Math.floor(i / P)] * (pred.data[i] - wanted.data[i]) ** 2) / P
      return array64([sum * inverseCount(mask)], [1])
    },
    gradients([pred, target, mask], dy) {
      const P = pred.shape[2]
      const wanted = wantedPatches(target)
      const scale = (2 * dy.data[0] * inverseCount(mask)) / P
      const dPred = map(pred, (value, i) => scale * mask.data[Math.floor(i / P)] * (value - wanted.data[i]))
      return [dPred, null, null]
    },
  }
}

function inverseCount(mask: Array64): number {
  const count = mask.data.reduce((sum, value) => sum + value, 0)
  return count > 0 ? 1 / count : 0
}

/** Every patch by its own mean and unbiased variance. */
function normalisedPatches(patches: Array64): Array64 {
  const P = patches.shape.at(-1)!
  const out = zeros(patches.shape)
  for (let start = 0; start < patches.size; start += P) {
    const values = patches.data.subarray(start, start + P)
    const mean = values.reduce((sum, value) => sum + value / P, 0)
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2 / (P - 1), 0)
    for (let i = 0; i < P; i++) out.data[start + i] = (values[i] - mean) / Math.sqrt(variance + 1e-6)
  }
  return out
}

import { add } from '../engine/ops/add.js'
import { bceWithLogits } from '../engine/ops/bceWithLogits.js'
import { softmaxCrossEntropy } from '../engine/ops/softmaxCrossEntropy.js'
import type { DType, Tensor } from '../engine/tensor.js'
import type { ClassifierConfig } from './config.js'

/**
 * Identity adversarial training: the identity loss, added to the AU loss `au` [1]. Where λ = 0 there is no
 * identity head: the AU loss stays alone and `id` is null. The head learns from the sum as it stands; that
 * the features unlearn identity is the gradient reversal's doing. Ning et al. 2024.
 */
export function iatLoss(
  au: Tensor,
  idLogits: Tensor | null,
  subjects: Tensor | null,
  { idLoss }: ClassifierConfig,
): { loss: Tensor; id: Tensor | null } {
  if (!idLogits || !subjects) return { loss: au, id: null }
  const id = idLoss === 'bce' ? bceWithLogits(idLogits, subjects) : softmaxCrossEntropy(idLogits, subjects)
  return { loss: add(au, id), id }
}

/**
 * Shape and type of the identity targets of a batch: one-hot f32 [B, S] for BCE, classes u32 [B] for softmax.
 */
export function identityTargetType(
  { idLoss, subjects }: ClassifierConfig,
  batch: number,
): { shape: readonly number[]; dtype: DType } {
  return idLoss === 'bce' ? { shape: [batch, subjects], dtype: 'f32' } : { shape: [batch], dtype: 'u32' }
}

/** The identity targets of a batch, from the class of each sample. */
export function identityTargets(
  classes: Uint32Array,
  { idLoss, subjects }: ClassifierConfig,
): Uint32Array | Float32Array {
  if (idLoss === 'softmax') return classes
  const oneHot = new Float32Array(classes.length * subjects)
  classes.forEach((subject, row) => {
    oneHot[row * subjects + subject] = 1
  })
  return oneHot
}

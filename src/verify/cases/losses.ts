import { argsortRows } from '../../engine/ops/argsortRows.js'
import { bceWithLogits } from '../../engine/ops/bceWithLogits.js'
import { maskedPatchLoss } from '../../engine/ops/maskedPatchLoss.js'
import { randomMasking } from '../../engine/ops/randomMasking.js'
import { softmaxCrossEntropy } from '../../engine/ops/softmaxCrossEntropy.js'
import type { Tensor } from '../../engine/tensor.js'
import { type CaseInput, constant, type OpCase, shapeText, single, variable } from '../opCase.js'
import {
  bceWithLogitsReference,
  maskedPatchLossReference,
  softmaxCrossEntropyReference,
} from '../reference/losses.js'
import { argsortReference, randomMaskingReference } from '../reference/ordering.js'

function floats(name: string, shape: readonly number[], draw: (uniform: number) => number): CaseInput {
  return constant(name, shape, (random, count) =>
    Float32Array.from({ length: count }, () => draw(random.uniform())),
  )
}

/** Shape and size of the logits; soft targets where the size is not 1. */
const logits: readonly (readonly [readonly number[], number])[] = [
  [[1, 1], 1],
  [[3, 7], 1],
  [[17, 12], 5],
  [[64, 41], 1],
  [[50, 140], 30],
  [[197, 8], 1],
]

const bceWithLogitsCases: OpCase[] = logits.map(([shape, size]) => ({
  op: 'bceWithLogits',
  label: `${shapeText(shape)}, logits of ${size}`,
  inputs: [
    single(variable('logits', shape, size)),
    floats('targets', shape, (u) => (size === 1 ? Number(u < 0.3) : u)),
  ],
  run: (x, targets) => bceWithLogits(x, targets),
  reference: bceWithLogitsReference,
}))

const classifications: readonly (readonly [readonly [number, number], number, number])[] = [
  [[1, 1], 0, 1],
  [[3, 7], 0, 1],
  [[17, 41], 0.1, 1],
  [[50, 140], 0, 20],
  [[197, 8], 0.5, 1],
  [[2, 1000], 0.1, 5],
]

const softmaxCrossEntropyCases: OpCase[] = classifications.map(([shape, smoothing, size]) => ({
  op: 'softmaxCrossEntropy',
  label: `${shapeText(shape)}, smoothing ${smoothing}, logits of ${size}`,
  inputs: [
    single(variable('logits', shape, size)),
    constant(
      'labels',
      [shape[0]],
      (random, count) => Uint32Array.from({ length: count }, () => random.integer(shape[1])),
      'u32',
    ),
  ],
  run: (x, labels) => softmaxCrossEntropy(x, labels, smoothing),
  reference: softmaxCrossEntropyReference(smoothing),
}))

/** Patches' shape, share that is masked, mean of the target. */
const patchLosses: readonly (readonly [readonly [number, number, number], number, number])[] = [
  [[1, 1, 2], 1, 0],
  [[2, 16, 48], 0.75, 0],
  [[3, 5, 7], 0.5, 10],
  [[1, 50, 192], 0.75, 0],
  [[1, 197, 64], 0.75, -2],
  [[4, 17, 12], 0, 0],
  [[2, 9, 768], 1, 0],
]

/** Images' shape and patch size. */
const targetImages: readonly (readonly [readonly [number, number, number, number], number])[] = [
  [[2, 3, 32, 32], 8],
  [[1, 1, 9, 9], 3],
  [[3, 3, 10, 10], 5],
]

const maskedShare = (masked: number) => (u: number) => Number(u < masked)

const patchTargetCases = patchLosses.flatMap(([shape, masked, mean]) =>
  [true, false].map((normPix) => ({
    op: 'maskedPatchLoss',
    label: `${shapeText(shape)}, ${100 * masked} % masked, ${normPix ? 'normalized' : 'raw'}`,
    inputs: [
      variable('pred', shape),
      floats('target', shape, (u) => mean + 3 * u),
      floats('mask', shape.slice(0, 2), maskedShare(masked)),
    ],
    run: (pred?: Tensor, target?: Tensor, mask?: Tensor) => maskedPatchLoss(pred!, target!, mask!, normPix),
    reference: maskedPatchLossReference(normPix),
  })),
)

const imageTargetCases = targetImages.flatMap(([images, patchSize]) => {
  const [B, C, S] = images
  const shape = [B, (S / patchSize) ** 2, patchSize ** 2 * C]
  return [true, false].map((normPix) => ({
    op: 'maskedPatchLoss',
    label: `${shapeText(shape)} of images ${shapeText(images)}, ${normPix ? 'normalized' : 'raw'}`,
    inputs: [
      variable('pred', shape),
      floats('images', images, (u) => 3 * u - 1),
      floats('mask', shape.slice(0, 2), maskedShare(0.75)),
    ],
    run: (pred?: Tensor, target?: Tensor, mask?: Tensor) => maskedPatchLoss(pred!, target!, mask!, normPix),
    reference: maskedPatchLossReference(normPix, patchSize),
  }))
})

const maskedPatchLossCases: OpCase[] = [...patchTargetCases, ...imageTargetCases]

/** Rows, length, distinct values (few: many ties), kept patches. */
const noises: readonly (readonly [number, number, number, number])[] = [
  [1, 1, 1, 1],
  [2, 16, 1e6, 4],
  [3, 17, 4, 5],
  [2, 50, 1, 12],
  [64, 49, 1e6, 12],
  [2, 196, 1e6, 49],
  [3, 197, 20, 49],
]

function noise(rows: number, length: number, levels: number): CaseInput {
  return floats('noise', [rows, length], (u) => Math.floor(u * levels) / levels)
}

const orderingCases: OpCase[] = noises.flatMap(([rows, length, levels, kept]): OpCase[] => {
  const label = `${shapeText([rows, length])}, ${levels} levels`
  const inputs = [noise(rows, length, levels)]
  return [
    ...(['order', 'rank'] as const).map((result) => ({
      op: 'argsortRows',
      label: `${label}, ${result}`,
      inputs,
      run: (x: Parameters<typeof argsortRows>[0]) => argsortRows(x)[result],
      reference: argsortReference(result),
    })),
    ...(['kept', 'restore', 'mask'] as const).map((result) => ({
      op: 'randomMasking',
      label: `${label}, keep ${kept}, ${result}`,
      inputs,
      run: (x: Parameters<typeof randomMasking>[0]) => randomMasking(x, kept)[result],
      reference: randomMaskingReference(result, kept),
    })),
  ]
})

export const lossCases: readonly OpCase[] = [
  ...bceWithLogitsCases,
  ...softmaxCrossEntropyCases,
  ...maskedPatchLossCases,
  ...orderingCases,
]

import { add } from '../../engine/ops/add.js'
import { attention } from '../../engine/ops/attention.js'
import { gelu } from '../../engine/ops/gelu.js'
import { gradientReversal } from '../../engine/ops/gradientReversal.js'
import { layerNorm } from '../../engine/ops/layerNorm.js'
import { reshape } from '../../engine/ops/reshape.js'
import { residual } from '../../engine/ops/residual.js'
import { scale } from '../../engine/ops/scale.js'
import { constant, type OpCase, shapeText, single, variable } from '../opCase.js'
import { attentionReference } from '../reference/attention.js'
import {
  addReference,
  flatReference,
  geluReference,
  gradientReversalReference,
  residualReference,
  scaleReference,
} from '../reference/elementwise.js'
import { layerNormReference } from '../reference/layerNorm.js'

/** Batch, tokens, heads, head dim; the last number is the size of q, k and v (3: a sharp softmax). */
const attentions: readonly (readonly [number, number, number, number, number])[] = [
  [1, 1, 1, 8, 1],
  [2, 5, 3, 4, 1],
  [2, 17, 2, 12, 1],
  [3, 50, 4, 16, 1],
  [2, 50, 2, 48, 1],
  [1, 197, 2, 64, 1],
  [2, 65, 3, 32, 1],
  [1, 197, 3, 16, 3],
  [1, 17, 2, 128, 1],
  [1, 65, 1, 128, 1],
  [2, 17, 3, 7, 1],
  [1, 50, 1, 1, 1],
]

const attentionCases: OpCase[] = attentions.map(([batch, tokens, heads, headDim, size]) => ({
  op: 'attention',
  label: `B ${batch}, T ${tokens}, ${heads} heads of ${headDim}${size === 1 ? '' : ', sharp'}`,
  inputs: [variable('qkv', [batch, tokens, 3 * heads * headDim], size)],
  run: (qkv) => attention(qkv, heads),
  reference: attentionReference(heads),
  // GPU kernels are compiled anew for every head dim and for more than 32 tokens; a few stand for all on a
  // CPU driver.
  costlyKernels: ![4, 7, 8, 16].includes(headDim) && !(headDim === 128 && tokens < 32),
}))

/** Shape, and the mean of x: a large one must not cancel the variance away. */
const norms: readonly (readonly [readonly number[], number])[] = [
  [[1, 4], 0],
  [[3, 7], 0],
  [[2, 17, 48], 0],
  [[1, 50, 64], 100],
  [[1, 197, 192], 0],
  [[5, 65, 12], -3],
  [[2, 384], 0],
  [[64, 50, 16], 0],
]

const layerNormCases: OpCase[] = norms.map(([shape, mean]) => {
  const width = shape.at(-1)!
  return {
    op: 'layerNorm',
    label: `${shapeText(shape)}${mean ? `, mean ${mean}` : ''}`,
    inputs: [
      variable('x', shape, 1, mean),
      single(variable('weight', [width], 0.1, 1)),
      single(variable('bias', [width])),
    ],
    run: (x, weight, bias) => layerNorm(x, weight, bias, 1e-6),
    reference: layerNormReference(1e-6),
  }
})

const shapes: readonly (readonly number[])[] = [
  [1],
  [7],
  [3, 5],
  [2, 17, 48],
  [1, 50, 64],
  [2, 197, 13],
  [1, 1, 192],
]

const geluCases: OpCase[] = shapes.map((shape) => ({
  op: 'gelu',
  label: shapeText(shape),
  inputs: [variable('x', shape, 2)],
  run: (x) => gelu(x),
  reference: geluReference,
}))

const addCases: OpCase[] = shapes.map((shape) => ({
  op: 'add',
  label: shapeText(shape),
  inputs: [variable('a', shape), variable('b', shape)],
  run: (a, b) => add(a, b),
  reference: addReference,
}))

const reshapeCases: OpCase[] = shapes.map((shape) => ({
  op: 'reshape',
  label: shapeText(shape),
  inputs: [variable('x', shape)],
  // Its result is the same storage as x: a sum with nothing keeps the two apart.
  run: (x) => scale(reshape(x, [x.size]), 1),
  reference: flatReference,
}))

const scaleCases: OpCase[] = shapes.map((shape, i) => ({
  op: 'scale',
  label: `${shapeText(shape)} by ${i - 1.5}`,
  inputs: [variable('x', shape)],
  run: (x) => scale(x, i - 1.5),
  reference: scaleReference(i - 1.5),
}))

const gradientReversalCases: OpCase[] = shapes.map((shape, i) => ({
  op: 'gradientReversal',
  label: `${shapeText(shape)}, λ ${i / 2}`,
  inputs: [variable('x', shape), constant('lambda', [1], () => Float32Array.of(i / 2))],
  // Its result is the same storage as x: a sum with nothing keeps the two apart.
  run: (x, lambda) => scale(gradientReversal(x, lambda), 1),
  reference: gradientReversalReference,
}))

/** Drop path: every third sample dropped, the others scaled up. */
const keep = (samples: number) =>
  constant('keep', [samples], (random, count) =>
    Float32Array.from({ length: count }, () => (random.uniform() < 0.3 ? 0 : 1 / 0.7)),
  )

const residualShapes: readonly (readonly number[])[] = [
  [1, 1, 4],
  [3, 5, 7],
  [5, 17, 48],
  [2, 50, 64],
  [3, 197, 13],
  [9, 192],
]

const residualCases: OpCase[] = residualShapes.flatMap((shape) =>
  [false, true].map((dropPath) => ({
    op: dropPath ? 'residual + drop path' : 'residual',
    label: shapeText(shape),
    inputs: [variable('x', shape), variable('branch', shape), ...(dropPath ? [keep(shape[0])] : [])],
    run: (x, branch, scales) => residual(x, branch, scales ?? null),
    reference: residualReference,
  })),
)

export const blockCases: readonly OpCase[] = [
  ...attentionCases,
  ...layerNormCases,
  ...geluCases,
  ...addCases,
  ...reshapeCases,
  ...scaleCases,
  ...residualCases,
  ...gradientReversalCases,
]

import { linear, linearResidual } from '../../engine/ops/linear.js'
import { matmul } from '../../engine/ops/matmul.js'
import { type OpCase, shapeText, single, variable } from '../opCase.js'
import { linearReference, linearResidualReference, matmulReference } from '../reference/products.js'

type Sizes = readonly [m: number, n: number, k: number]

/**
 * Odd, tiny, one past and one short of every tile size, many tile rows, and long k (split-K of the weight
 * gradients).
 */
const sizes: readonly (readonly [batch: readonly number[], ...Sizes])[] = [
  [[], 1, 1, 1],
  [[], 7, 5, 3],
  [[], 17, 48, 7],
  [[], 64, 64, 16],
  [[], 65, 33, 192],
  [[], 50, 130, 64],
  [[2], 17, 9, 50],
  [[2, 3], 50, 50, 8],
  [[3], 5, 197, 12],
  [[2], 33, 36, 20],
  [[], 300, 68, 28],
  [[], 12, 20, 1576],
]

const layouts = [
  { name: 'NN', transposeA: false, transposeB: false },
  { name: 'NT', transposeA: false, transposeB: true },
  { name: 'TN', transposeA: true, transposeB: false },
] as const

export const matmulCases: OpCase[] = layouts.flatMap(({ name, transposeA, transposeB }) =>
  sizes.map(([batch, m, n, k]): OpCase => {
    const a = [...batch, ...(transposeA ? [k, m] : [m, k])]
    const b = [...batch, ...(transposeB ? [n, k] : [k, n])]
    return {
      op: 'matmul',
      label: `${name} ${shapeText(a)} ${shapeText(b)}`,
      inputs: [variable('a', a), variable('b', b)],
      run: (x, y) => matmul(x, y, { transposeA, transposeB }),
      reference: matmulReference(transposeA, transposeB),
    }
  }),
)

const linearShapes: readonly (readonly [x: readonly number[], outputs: number])[] = [
  [[1, 1], 1],
  [[3, 7], 5],
  [[2, 17, 48], 144],
  [[1, 50, 64], 192],
  [[1, 197, 48], 64],
  [[4, 192], 12],
  [[2, 65, 7], 48],
  [[1, 2, 9, 12], 7],
]

function linearCase(shape: readonly number[], outputs: number, form: 'no bias' | 'bias' | 'gelu'): OpCase {
  const inputs = shape.at(-1)!
  const activation = form === 'gelu' ? 'gelu' : 'none'
  const operands = [
    variable('x', shape),
    single(variable('weight', [outputs, inputs], 1 / Math.sqrt(inputs))),
    ...(form === 'no bias' ? [] : [single(variable('bias', [outputs]))]),
  ]
  return {
    op: form === 'gelu' ? 'linear + gelu' : 'linear',
    label: `${shapeText(shape)} to ${outputs}, ${form}`,
    inputs: operands,
    run: (x, weight, bias) => linear(x, weight, bias ?? null, activation),
    reference: linearReference(activation),
  }
}

function linearResidualCase(shape: readonly number[], outputs: number): OpCase {
  const inputs = shape.at(-1)!
  return {
    op: 'linear + residual',
    label: `${shapeText(shape)} to ${outputs}`,
    inputs: [
      variable('x', shape),
      single(variable('weight', [outputs, inputs], 1 / Math.sqrt(inputs))),
      single(variable('bias', [outputs])),
      variable('residual', [...shape.slice(0, -1), outputs]),
    ],
    run: (x, weight, bias, residual) => linearResidual(x, weight, bias, residual),
    reference: linearResidualReference,
  }
}

export const linearCases: OpCase[] = [
  ...(['no bias', 'bias', 'gelu'] as const).flatMap((form) =>
    linearShapes.map(([shape, outputs]) => linearCase(shape, outputs, form)),
  ),
  ...linearShapes.map(([shape, outputs]) => linearResidualCase(shape, outputs)),
]

export const productCases: readonly OpCase[] = [...matmulCases, ...linearCases]

// The work that every engine is given, in one place: names, shapes and values of all inputs. Values are a hash of
// (tensor, index), so each process, in whatever language, makes the same ones. Weights are [out, in] here.

/** A float in [-1, 1) from two 32-bit numbers (the finaliser of MurmurHash3). */
function hashed(tensor, index) {
  let h = (Math.imul(tensor + 1, 0x9e3779b1) + index) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (((h ^ (h >>> 16)) >>> 8) - 2 ** 23) / 2 ** 23
}

/** Uniform ±`bound` around `centre`. */
function spec(name, shape, bound = 1, centre = 0) {
  return { name, shape, bound, centre }
}

const linear = (name, out, inputs) => [
  spec(`${name}.weight`, [out, inputs], Math.sqrt(6 / (inputs + out))),
  spec(`${name}.bias`, [out], 0.1),
]
const norm = (name, width) => [spec(`${name}.weight`, [width], 0.1, 1), spec(`${name}.bias`, [width], 0.1)]

/** Parameters of pre-norm block `i`, named and ordered as in the reference models. */
function blockSpecs(i, { width, mlp }) {
  return [
    ...norm(`blocks.${i}.norm1`, width),
    ...linear(`blocks.${i}.attn.qkv`, 3 * width, width),
    ...linear(`blocks.${i}.attn.proj`, width, width),
    ...norm(`blocks.${i}.norm2`, width),
    ...linear(`blocks.${i}.mlp.fc1`, mlp, width),
    ...linear(`blocks.${i}.mlp.fc2`, width, mlp),
  ]
}

const inputSpecs = {
  /** y = a·b. */
  matmul: ({ m, k, n }) => [spec('a', [m, k]), spec('b', [k, n])],
  /** y = x·Wᵀ. */
  linear: ({ m, k, n }) => [spec('x', [m, k]), spec('weight', [n, k])],
  /** Multi-head attention of qkv and its gradient for a given gradient of the output. */
  attention: ({ batch, tokens, heads, headDim }) => [
    spec('qkv', [batch, tokens, 3 * heads * headDim], 2),
    spec('dOut', [batch, tokens, heads * headDim]),
  ],
  /** Layer norm and its three gradients for a given gradient of the output. */
  layerNorm: ({ rows, width }) => [
    spec('x', [rows, width], 2),
    ...norm('norm', width),
    spec('dy', [rows, width]),
  ],
  /** Pre-norm transformer blocks under a mean-square loss: the loss and the gradients of all parameters. */
  trainingStep: (shape) => [
    spec('x', [shape.batch, shape.tokens, shape.width], 1.7),
    spec('target', [shape.batch, shape.tokens, shape.width], 1.7),
    ...Array.from({ length: shape.depth }, (_, i) => blockSpecs(i, shape)).flat(),
  ],
}

export const LAYER_NORM_EPS = 1e-6

/**
 * Inputs of a piece of work, in order.
 * @param {string} work
 * @param {Record<string, number>} shape
 * @returns {{ name: string, shape: number[], values: Float32Array }[]}
 */
export function inputsOf(work, shape) {
  return inputSpecs[work](shape).map(({ name, shape, bound, centre }, tensor) => {
    const length = shape.reduce((product, size) => product * size, 1)
    const values = Float32Array.from({ length }, (_, i) => centre + bound * hashed(tensor, i))
    return { name, shape, values }
  })
}

/** [rows, columns] → [columns, rows]: weights of engines that keep them as [in, out]. */
export function transposed(values, rows, columns) {
  const result = new Float32Array(values.length)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j]
  return result
}

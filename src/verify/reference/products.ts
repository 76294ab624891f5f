import {
  type Array64,
  assign,
  columnSums,
  map,
  reshaped,
  rowsOf,
  times,
  transposed,
  zeros,
} from '../array64.js'
import { geluSlope, geluValue } from './erf.js'
import type { Reference } from './reference.js'

/** Batched product of [...batch, M, K] and [...batch, K, N], either one given transposed. */
export function matmulReference(transposeA: boolean, transposeB: boolean): Reference {
  const turnA = (a: Array64) => (transposeA ? transposed(a) : a)
  const turnB = (b: Array64) => (transposeB ? transposed(b) : b)
  return {
    forward([a, b]) {
      const products = slices(a).map((slice, z) => times(turnA(slice), turnB(slices(b)[z])))
      return stacked(products, a.shape.slice(0, -2))
    },
    gradients([a, b], dy) {
      const da = zeros(a.shape)
      const db = zeros(b.shape)
      slices(dy).forEach((dySlice, z) => {
        const [aSlice, bSlice] = [turnA(slices(a)[z]), turnB(slices(b)[z])]
        assign(turnA(slices(da)[z]), times(dySlice, transposed(bSlice)))
        assign(turnB(slices(db)[z]), times(transposed(aSlice), dySlice))
      })
      return [da, db]
    },
  }
}

/** The matrices of a batch, as views. */
function slices(x: Array64): Array64[] {
  const [rows, columns] = x.shape.slice(-2) as [number, number]
  const batch = x.size / (rows * columns)
  const stack = reshaped(x, [batch, rows, columns])
  return Array.from({ length: batch }, (_, z) => stack.pick(z, null, null))
}

function stacked(matrices: readonly Array64[], batchShape: readonly number[]): Array64 {
  const [m, n] = matrices[0].shape as [number, number]
  const out = zeros([...batchShape, m, n])
  matrices.forEach((matrix, z) => {
    out.data.set(matrix.data, z * m * n)
  })
  return out
}

/** x·Wᵀ + b, then GELU if asked; inputs x, weight and, if there is one, bias. */
export function linearReference(activation: 'none' | 'gelu'): Reference {
  const preActivation = ([x, weight, bias]: readonly Array64[]) => {
    const z = times(rowsOf(x), transposed(weight))
    return bias ? map(z, (value, i) => value + bias.data[i % bias.size]) : z
  }
  return {
    forward(inputs) {
      const z = preActivation(inputs)
      const y = activation === 'gelu' ? map(z, geluValue) : z
      return reshaped(y, [...inputs[0].shape.slice(0, -1), inputs[1].shape[0]])
    },
    gradients(inputs, dy) {
      const [x, weight, bias] = inputs
      const z = preActivation(inputs)
      const dz = activation === 'gelu' ? map(rowsOf(dy), (g, i) => g * geluSlope(z.data[i])) : rowsOf(dy)
      const dx = reshaped(times(dz, weight), x.shape)
      const dWeight = times(transposed(dz), rowsOf(x))
      return bias ? [dx, dWeight, columnSums(dz)] : [dx, dWeight]
    },
  }
}

/** residual + x·Wᵀ + b; inputs x, weight, bias, residual. */
export const linearResidualReference: Reference = {
  forward: ([x, weight, bias, residual]) =>
    map(linear.forward([x, weight, bias]), (value, i) => value + residual.data[i]),
  gradients: ([x, weight, bias], dy) => [...linear.gradients!([x, weight, bias], dy), dy],
}

const linear = linearReference('none')

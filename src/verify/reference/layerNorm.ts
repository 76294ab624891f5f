import { type Array64, columnSums, map, reshaped, rowsOf, zeros } from '../array64.js'
import type { Reference } from './reference.js'

/** (x − mean)/√(variance + eps)·weight + bias over the last dimension, the variance biased. */
export function layerNormReference(eps: number): Reference {
  return {
    forward([x, weight, bias]) {
      const D = weight.size
      const { normalised } = statistics(rowsOf(x), eps)
      const y = map(normalised, (value, i) => value * weight.data[i % D] + bias.data[i % D])
      return reshaped(y, x.shape)
    },
    gradients([x, weight], dyAny) {
      const D = weight.size
      const dy = rowsOf(dyAny)
      const { normalised, deviation } = statistics(rowsOf(x), eps)
      const g = map(dy, (value, i) => value * weight.data[i % D])
      const gMean = rowMeans(g)
      const projection = rowMeans(map(g, (value, i) => value * normalised.data[i]))
      const dx = map(g, (value, i) => {
        const row = Math.floor(i / D)
        return (value - gMean[row] - normalised.data[i] * projection[row]) / deviation[row]
      })
      const dWeight = columnSums(map(dy, (value, i) => value * normalised.data[i]))
      return [reshaped(dx, x.shape), dWeight, columnSums(dy)]
    },
  }
}

function statistics(x: Array64, eps: number): { normalised: Array64; deviation: Float64Array } {
  const D = x.shape[1]
  const mean = rowMeans(x)
  const centred = map(x, (value, i) => value - mean[Math.floor(i / D)])
  const deviation = rowMeans(map(centred, (value) => value * value)).map((variance) =>
    Math.sqrt(variance + eps),
  )
  return { normalised: map(centred, (value, i) => value / deviation[Math.floor(i / D)]), deviation }
}

function rowMeans(x: Array64): Float64Array {
  const [rows, D] = x.shape as [number, number]
  const sums = zeros([rows]).data
  for (let i = 0; i < x.size; i++) sums[Math.floor(i / D)] += x.data[i] / D
  return sums
}

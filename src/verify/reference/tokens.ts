import { type Array64, map, zeros } from '../array64.js'
import type { Reference } from './reference.js'

type Place = readonly number[]
/** Tells where every element of the output comes from. */
type Walk = (visit: (output: Place, input: number, source: Place) => void) => void

/**
 * Ops that only move rows about: y at `output` is the sum of all that `walk` names for it, times `factor`;
 * gradients go the same ways back. `walk` is built from the inputs' shapes (and from indices).
 */
function moves(
  differentiable: number,
  outputShape: (inputs: readonly Array64[]) => number[],
  walkOf: (inputs: readonly Array64[]) => Walk,
  factorOf: (inputs: readonly Array64[]) => number = () => 1,
): Reference {
  return {
    forward(inputs) {
      const y = zeros(outputShape(inputs))
      const factor = factorOf(inputs)
      walkOf(inputs)((output, input, source) => {
        y.set(...output, y.get(...output) + factor * inputs[input].get(...source))
      })
      return y
    },
    gradients(inputs, dy) {
      const gradients = inputs.map((input, i) => (i < differentiable ? zeros(input.shape) : null))
      const factor = factorOf(inputs)
      walkOf(inputs)((output, input, source) => {
        const gradient = gradients[input]!
        gradient.set(...source, gradient.get(...source) + factor * dy.get(...output))
      })
      return gradients
    },
  }
}

function forEachRow(batch: number, tokens: number, body: (b: number, t: number) => void): void {
  for (let b = 0; b < batch; b++) for (let t = 0; t < tokens; t++) body(b, t)
}

/** y[b, t] = x[b, t] + position[0, firstRow + t]. */
export function addPositionAtReference(firstRow: number): Reference {
  return {
    forward([x, position, indices]) {
      const width = x.shape.at(-1)!
      const rowOf = (i: number) => firstRow + indices.data[Math.floor(i / width)]
      return map(x, (value, i) => value + position.data[rowOf(i) * width + (i % width)])
    },
    gradients: (_inputs, dy) => [dy, null, null],
  }
}

export function addPositionReference(firstRow: number): Reference {
  return moves(
    2,
    ([x]) => x.shape,
    ([x]) =>
      (visit) => {
        const [batch, tokens, width] = x.shape as [number, number, number]
        forEachRow(batch, tokens, (b, t) => {
          for (let d = 0; d < width; d++) {
            visit([b, t, d], 0, [b, t, d])
            visit([b, t, d], 1, [0, firstRow + t, d])
          }
        })
      },
  )
}

/** y[b, m] = x[b, indices[b, m]]. */
export const gatherRowsReference: Reference = moves(
  1,
  ([x, indices]) => [...indices.shape, x.shape[2]],
  ([x, indices]) =>
    (visit) => {
      const [batch, picked] = indices.shape as [number, number]
      forEachRow(batch, picked, (b, m) => {
        for (let d = 0; d < x.shape[2]; d++) visit([b, m, d], 0, [b, indices.get(b, m), d])
      })
    },
)

/** The tokens of a, then those of b `repeat` times; an operand of batch 1 serves all. */
export function concatTokensReference(repeat: number): Reference {
  return moves(
    2,
    ([a, b]) => [Math.max(a.shape[0], b.shape[0]), a.shape[1] + repeat * b.shape[1], a.shape[2]],
    ([a, b]) =>
      (visit) => {
        const [aTokens, bTokens] = [a.shape[1], b.shape[1]]
        const batch = Math.max(a.shape[0], b.shape[0])
        forEachRow(batch, aTokens + repeat * bTokens, (sample, t) => {
          const input = t < aTokens ? 0 : 1
          const operand = input === 0 ? a : b
          const row = input === 0 ? t : (t - aTokens) % bTokens
          const from = operand.shape[0] === 1 ? 0 : sample
          for (let d = 0; d < a.shape[2]; d++) visit([sample, t, d], input, [from, row, d])
        })
      },
  )
}

/** Tokens start … start + count − 1. */
export function sliceTokensReference(start: number, count: number): Reference {
  return moves(
    1,
    ([x]) => [x.shape[0], count, x.shape[2]],
    ([x]) =>
      (visit) => {
        forEachRow(x.shape[0], count, (b, t) => {
          for (let d = 0; d < x.shape[2]; d++) visit([b, t, d], 0, [b, start + t, d])
        })
      },
  )
}

/** Mean over the tokens from `start`. */
export function meanTokensReference(start: number): Reference {
  return moves(
    1,
    ([x]) => [x.shape[0], x.shape[2]],
    ([x]) =>
      (visit) => {
        forEachRow(x.shape[0], x.shape[1] - start, (b, t) => {
          for (let d = 0; d < x.shape[2]; d++) visit([b, d], 0, [b, start + t, d])
        })
      },
    ([x]) => 1 / (x.shape[1] - start),
  )
}

/** images [B,C,S,S] → patches [B,L,p·p·C], or back with `inverse`; values of a patch in chw or hwc order. */
export function patchifyReference(patchSize: number, order: 'chw' | 'hwc', inverse = false): Reference {
  const walkPatches = (
    [batch, channels, side]: readonly number[],
    visit: (image: Place, patch: Place) => void,
  ) => {
    const grid = side / patchSize
    for (let b = 0; b < batch; b++)
      for (let c = 0; c < channels; c++)
        forEachRow(side, side, (y, x) => {
          const patch = Math.floor(y / patchSize) * grid + Math.floor(x / patchSize)
          const [row, column] = [y % patchSize, x % patchSize]
          const value =
            order === 'chw'
              ? (c * patchSize + row) * patchSize + column
              : (row * patchSize + column) * channels + c
          visit([b, c, y, x], [b, patch, value])
        })
  }
  const imageShape = ({ shape }: Array64) => {
    const side = Math.sqrt(shape[1]) * patchSize
    return [shape[0], shape[2] / patchSize ** 2, side, side]
  }
  const patchShape = ({ shape: [batch, channels, side] }: Array64) => [
    batch,
    (side / patchSize) ** 2,
    patchSize ** 2 * channels,
  ]
  return moves(
    1,
    ([x]) => (inverse ? imageShape(x) : patchShape(x)),
    ([x]) =>
      (visit) =>
        walkPatches(inverse ? imageShape(x) : x.shape, (image, patch) => {
          if (inverse) visit(image, 0, patch)
          else visit(patch, 0, image)
        }),
  )
}

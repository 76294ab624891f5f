import { type Array64, zeros } from '../array64.js'
import type { Reference } from './reference.js'

/** Ascending argsort of every row, ties by index; `rank` is its inverse. */
export function argsortReference(result: 'order' | 'rank'): Reference {
  return { forward: ([noise]) => sortRows(noise)[result] }
}

/** Random masking by noise: the kept patches in noise order, the way back to patch order, or the mask. */
export function randomMaskingReference(result: 'kept' | 'restore' | 'mask', kept: number): Reference {
  return {
    forward([noise]) {
      const { order, rank } = sortRows(noise)
      const rows = noise.shape[0]
      if (result === 'restore') return behindClassToken(rank)
      const out = zeros([rows, result === 'kept' ? kept : noise.shape[1]])
      for (let b = 0; b < rows; b++)
        for (let i = 0; i < out.shape[1]; i++)
          out.set(b, i, result === 'kept' ? order.get(b, i) : Number(rank.get(b, i) >= kept))
      return out
    },
  }
}

/** Places among [class token, patches]: one further on than among the patches. */
function behindClassToken(rank: Array64): Array64 {
  const [rows, length] = rank.shape as [number, number]
  const out = zeros([rows, length + 1])
  for (let b = 0; b < rows; b++) for (let i = 0; i < length; i++) out.set(b, i + 1, 1 + rank.get(b, i))
  return out
}

function sortRows(noise: Array64): { order: Array64; rank: Array64 } {
  const [rows, length] = noise.shape as [number, number]
  const order = zeros(noise.shape)
  const rank = zeros(noise.shape)
  for (let b = 0; b < rows; b++) {
    const indices = Array.from({ length }, (_, i) => i)
    indices.sort((i, j) => noise.get(b, i) - noise.get(b, j) || i - j)
    indices.forEach((index, place) => {
      order.set(b, place, index)
      rank.set(b, index, place)
    })
  }
  return { order, rank }
}

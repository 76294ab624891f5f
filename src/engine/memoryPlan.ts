/**
 * Assigns the tensors of a step to buffers, when all tensors and their lifetimes are known beforehand.
 *
 * Tensors that are live at the same time get different buffers: WebGPU does not allow a kernel to read one part of a
 * buffer and write another. Greedy by size (Pisarchyk & Lee 2020, "Efficient memory management for deep neural net
 * inference"): from the largest to the smallest, each tensor goes into the smallest buffer that is free for its whole
 * lifetime, else into a new one. A ViT repeats few sizes, so the total is within a few percent of the peak of live
 * bytes, the lower bound of any plan.
 */
import type { Storage } from './memory.js'

/** A tensor and its lifetime: the indices of the first and last command that use it. */
export interface PlannedTensor {
  readonly storage: Storage
  readonly bytes: number
  readonly first: number
  last: number
}

export interface PlannedBuffer {
  readonly bytes: number
  readonly tensors: PlannedTensor[]
}

export interface MemoryPlan {
  /** From the largest to the smallest. */
  readonly buffers: readonly PlannedBuffer[]
  /** Sum of all buffers. */
  readonly bytes: number
  /** Peak of live bytes: the lower bound of `bytes`. */
  readonly worstMomentBytes: number
}

/** Sizes are rounded up to this, so that vectors never end past a buffer. */
const GRANULE = 16

export function planMemory(tensors: readonly PlannedTensor[]): MemoryPlan {
  const buffers: PlannedBuffer[] = []
  const bySize = [...tensors].sort((a, b) => b.bytes - a.bytes || a.first - b.first)
  for (const tensor of bySize) {
    // Buffers are made in the order of falling size, so the last free one is the smallest.
    const free = buffers.findLast((buffer) => buffer.tensors.every((other) => !overlap(tensor, other)))
    if (free) free.tensors.push(tensor)
    else buffers.push({ bytes: Math.ceil(tensor.bytes / GRANULE) * GRANULE, tensors: [tensor] })
  }
  const bytes = buffers.reduce((sum, buffer) => sum + buffer.bytes, 0)
  return { buffers, bytes, worstMomentBytes: worstMoment(tensors) }
}

function overlap(a: PlannedTensor, b: PlannedTensor): boolean {
  return a.first <= b.last && b.first <= a.last
}

function worstMoment(tensors: readonly PlannedTensor[]): number {
  const changes = new Map<number, number>()
  for (const { bytes, first, last } of tensors) {
    changes.set(first, (changes.get(first) ?? 0) + bytes)
    changes.set(last + 1, (changes.get(last + 1) ?? 0) - bytes)
  }
  let live = 0
  let worst = 0
  for (const [, change] of [...changes].sort(([a], [b]) => a - b)) {
    live += change
    worst = Math.max(worst, live)
  }
  return worst
}

import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'

/** "x is [2,5,3]", for messages. */
export function described(name: string, x: Tensor): string {
  return `${name} is ${x.dtype === 'f32' ? '' : `${x.dtype} `}[${x.shape}]`
}

/** @throws ShapeError if `x` has no elements: kernels have nothing to bind then. */
export function requireElements(op: string, name: string, x: Tensor): void {
  if (x.size === 0) throw new ShapeError(op, `${described(name, x)}, which has no elements`)
}

/** @throws ShapeError unless `x` is f32 of the shape that is wanted. */
export function requireSingle(op: string, name: string, x: Tensor, wanted: readonly number[]): void {
  if (x.dtype === 'f32' && x.shape.join() === wanted.join()) return
  throw new ShapeError(op, `${described(name, x)}, expected f32 [${wanted}]`)
}

/** @throws ShapeError unless both have the same shape and type, and some elements. */
export function requireSameShape(op: string, aName: string, a: Tensor, bName: string, b: Tensor): void {
  requireElements(op, aName, a)
  if (a.shape.length !== b.shape.length || a.shape.some((size, i) => size !== b.shape[i])) {
    throw new ShapeError(op, `${described(aName, a)}, ${described(bName, b)}; the shapes must be equal`)
  }
  if (a.dtype !== b.dtype) {
    throw new ShapeError(op, `${described(aName, a)}, ${described(bName, b)}; the types must be equal`)
  }
}

/** The sizes of a [B, T, D] tensor. @throws ShapeError if `x` has another rank or no elements. */
export function batchTokensWidth(op: string, name: string, x: Tensor): readonly [number, number, number] {
  const [B, T, D] = x.shape
  if (x.shape.length !== 3) throw new ShapeError(op, `${described(name, x)}, expected [batch, tokens, width]`)
  requireElements(op, name, x)
  return [B, T, D]
}

/** @throws ShapeError unless tokens start…start+count-1 exist and are at least one. */
export function requireTokenRange(op: string, x: Tensor, start: number, count: number): void {
  const T = x.shape[1]
  if (!Number.isInteger(start) || !Number.isInteger(count) || start < 0 || count < 1 || start + count > T) {
    throw new ShapeError(op, `${described('x', x)}, cannot take ${count} tokens from token ${start}`)
  }
}

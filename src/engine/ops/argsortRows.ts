import { argsortKernel } from '../../../kernels/argsort.js'
import { ShapeError } from '../errors.js'
import type { Tensor } from '../tensor.js'

/**
 * Ascending argsort of every row, ties by index, and its inverse. noise f32 [B,L], free of NaN →
 * `order` u32 [B,L]: order[b,k] is the index of the k-th smallest element (the shuffle order of a masked
 * autoencoder);
 * `rank` u32 [B,L]: rank[b,i] is the place of element i, i.e. argsort(order) (its restore order).
 * Not differentiable.
 * @throws ShapeError on other shapes or types.
 */
export function argsortRows(noise: Tensor): { order: Tensor; rank: Tensor } {
  const { runtime, shape, dtype } = noise
  if (shape.length !== 2 || noise.size === 0 || dtype !== 'f32') {
    throw new ShapeError('argsortRows', `noise must be f32 [B,L] and not empty, got ${dtype} [${shape}]`)
  }
  const order = runtime.empty(shape, 'u32')
  const rank = runtime.empty(shape, 'u32')
  runtime.dispatch(argsortKernel(runtime.caps, shape[0], shape[1]), [noise, order, rank])
  return { order, rank }
}

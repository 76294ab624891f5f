/**
 * Cuts images into patches and puts them back: a permutation of the elements, so each is the other's
 * gradient.
 *
 * Shapes   images [B, C, S, S]; patches [B, L, p·p·C], L = (S/p)², patch-grid row first.
 *          In a patch: 'chw' = (channel, row, column), what a patch-embedding convolution sees;
 *                      'hwc' = (row, column, channel), the reconstruction target.
 * Mapping  one invocation per pixel (four in a row for 'chw' where p divides by 4), in patch order; it loops
 *          over the channels, so that finding the pixel is paid once. Patch size, grid and channels are baked
 *          in: divisions by constants.
 * Numerics exact copies; patches may be f16, which rounds.
 */
import type { Kernel, KernelCaps } from './kernel.js'
import { perValueKernel, readOnly, writable } from './perValue.js'
import { type StoredType, storedBytes } from './stored.js'

export type PatchOrder = 'chw' | 'hwc'

export interface PatchGeometry {
  readonly batch: number
  readonly channels: number
  readonly imageSize: number
  readonly patchSize: number
}

/** Bindings: images f32, patches f32 or f16. */
export function patchify(
  caps: KernelCaps,
  geometry: PatchGeometry,
  order: PatchOrder,
  stored: StoredType,
): Kernel {
  return permute(caps, 'patchify', geometry, order, stored)
}

/** The inverse of `patchify`. Bindings: patches f32 or f16, images f32. */
export function unpatchify(
  caps: KernelCaps,
  geometry: PatchGeometry,
  order: PatchOrder,
  stored: StoredType,
): Kernel {
  return permute(caps, 'unpatchify', geometry, order, stored)
}

function permute(
  caps: KernelCaps,
  name: 'patchify' | 'unpatchify',
  { batch, channels, imageSize, patchSize }: PatchGeometry,
  order: PatchOrder,
  stored: StoredType,
): Kernel {
  const width = order === 'chw' && patchSize % 4 === 0 ? 4 : 1
  const forward = name === 'patchify'
  const pixels = batch * imageSize * imageSize
  const copy = forward
    ? 'patches[inPatches] = Held(images[inImages]);'
    : 'images[inImages] = Value(patches[inPatches]);'
  return perValueKernel(caps, {
    name,
    variant: [order, channels, imageSize, patchSize].join('/'),
    values: pixels / width,
    width,
    stored,
    buffers: forward
      ? [{ ...readOnly('images'), stored: 'f32' }, writable('patches')]
      : [readOnly('patches'), { ...writable('images'), stored: 'f32' }],
    prelude: constants(channels, imageSize, patchSize, width),
    statement: `
    let patchIndex = index / pixelsPerPatch;
    let pixel = index % pixelsPerPatch;
    let sample = patchIndex / patchesPerImage;
    let gridCell = patchIndex % patchesPerImage;
    let y = (gridCell / grid) * patchRows + pixel / patchColumns;
    let x = (gridCell % grid) * patchColumns + pixel % patchColumns;
    for (var channel = 0u; channel < channels; channel++) {
      let inImages = ((sample * channels + channel) * imageRows + y) * imageColumns + x;
      let inPatches = ${
        order === 'chw'
          ? '(patchIndex * channels + channel) * pixelsPerPatch + pixel'
          : '(patchIndex * pixelsPerPatch + pixel) * channels + channel'
      };
      ${copy}
    }`,
    cost: { flops: 0, bytes: (4 + storedBytes(stored)) * pixels * channels },
  })
}

/** Columns and pixels count values, that is `width` pixels each. */
function constants(channels: number, imageSize: number, patchSize: number, width: 1 | 4): string {
  const grid = imageSize / patchSize
  return `
const channels = ${channels}u;
const grid = ${grid}u;
const patchesPerImage = ${grid * grid}u;
const patchRows = ${patchSize}u;
const patchColumns = ${patchSize / width}u;
const pixelsPerPatch = ${(patchSize * patchSize) / width}u;
const imageRows = ${imageSize}u;
const imageColumns = ${imageSize / width}u;`
}

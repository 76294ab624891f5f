import type { ImageLoader } from '../data/imageLoader.js'
import { streams } from '../data/streams.js'
import { RandomState } from '../engine/randomState.js'
import type { Runtime } from '../engine/runtime.js'
import { CHANNELS, patchCount } from '../model/config.js'
import type { Fmae } from '../model/fmae.js'

/** One image: the original, the masked input of the encoder, and the reconstruction. */
export interface ReconstructionSample<Image> {
  readonly original: Image
  readonly masked: Image
  readonly reconstruction: Image
}

/** A standardized image has standard deviation 1; three of them span the gray scale on each side. */
const GREY_LEVELS_PER_UNIT = 127.5 / 3
const MASK_GREY = 40

/**
 * Masks images, lets FMAE reconstruct them, and turns all three versions into RGB. The originals are the network's
 * input: standardized, around mid-gray. Predictions normalized per patch cannot be shown as they are, so they get the
 * true mean and standard deviation of their patch. Visible patches are copied from the original.
 */
export async function reconstruct(
  runtime: Runtime,
  model: Fmae,
  loader: ImageLoader,
  indices: ArrayLike<number>,
  seed: number,
): Promise<ReconstructionSample<Uint8Array>[]> {
  const { imageSize } = model.config
  const inputs = await Promise.all(Array.from(indices, (index) => loader.load(index)))
  const shape = [inputs.length, CHANNELS, imageSize, imageSize]
  const images = runtime.tensor(concatenate(inputs), shape)
  const random = randomOf(runtime, seed)
  random.setStep(0)
  const outputs = runtime.scope(() => {
    const noise = random.uniform([inputs.length, patchCount(model.config)])
    const { pred, mask } = model.forward(images, noise)
    return [pred, mask]
  })
  const [pred, mask] = [await outputs[0].read(), await outputs[1].read()]
  for (const tensor of [images, ...outputs]) tensor.dispose()
  const patches = patchCount(model.config)
  return inputs.map((image, i) =>
    sample(
      model,
      image,
      pred.subarray(i * (pred.length / inputs.length), (i + 1) * (pred.length / inputs.length)),
      mask.subarray(i * patches, (i + 1) * patches),
    ),
  )
}

const randoms = new WeakMap<Runtime, RandomState>()

/** Shared by all images of a runtime: each new one would leave bind groups behind, which pipelines keep (pipelines.ts). */
function randomOf(runtime: Runtime, seed: number): RandomState {
  const known = randoms.get(runtime)
  if (known?.seed === seed) return known
  const random = new RandomState(runtime, seed, streams.shownMasks)
  randoms.set(runtime, random)
  return random
}

function concatenate(inputs: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(inputs.length * inputs[0].length)
  inputs.forEach((image, i) => {
    all.set(image, i * image.length)
  })
  return all
}

function sample(
  { config }: Fmae,
  image: Float32Array,
  pred: ArrayLike<number>,
  mask: ArrayLike<number>,
): ReconstructionSample<Uint8Array> {
  const { imageSize: size, patchSize } = config
  const original = new Uint8Array(size * size * CHANNELS)
  const masked = new Uint8Array(original.length)
  const reconstruction = new Uint8Array(original.length)
  const grid = size / patchSize
  for (let patch = 0; patch < grid * grid; patch++) {
    const pixels = patchPixels(patch, grid, size, patchSize)
    const { mean, deviation } = patchStatistics(image, pixels)
    pixels.forEach(({ from, to }, k) => {
      const predicted = pred[patch * pixels.length + k]
      const value = config.normPix ? predicted * deviation + mean : predicted
      original[to] = grey(image[from])
      masked[to] = mask[patch] ? MASK_GREY : grey(image[from])
      reconstruction[to] = grey(mask[patch] ? value : image[from])
    })
  }
  return { original, masked, reconstruction }
}

/** Places of a patch's values in (row, column, channel) order: `from` in [3, S, S], `to` in interleaved RGB. */
function patchPixels(
  patch: number,
  grid: number,
  size: number,
  patchSize: number,
): { from: number; to: number }[] {
  const top = Math.floor(patch / grid) * patchSize
  const left = (patch % grid) * patchSize
  return Array.from({ length: patchSize * patchSize * CHANNELS }, (_, k) => {
    const channel = k % CHANNELS
    const pixel = Math.floor(k / CHANNELS)
    const place = (top + Math.floor(pixel / patchSize)) * size + left + (pixel % patchSize)
    return { from: channel * size * size + place, to: place * CHANNELS + channel }
  })
}

function patchStatistics(image: Float32Array, pixels: readonly { from: number }[]) {
  const mean = pixels.reduce((sum, { from }) => sum + image[from], 0) / pixels.length
  const squares = pixels.reduce((sum, { from }) => sum + (image[from] - mean) ** 2, 0)
  return { mean, deviation: Math.sqrt(squares / (pixels.length - 1) + 1e-6) }
}

function grey(value: number): number {
  return Math.max(0, Math.min(255, Math.round(127.5 + GREY_LEVELS_PER_UNIT * value)))
}

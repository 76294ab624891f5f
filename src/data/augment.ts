import { PhiloxStream } from '../engine/random.js'
import { streams } from './streams.js'

export interface Augmentation {
  /** Mirror with probability 0.5. */
  readonly flip: boolean
  /** Maximum shift in pixels along x and y, drawn uniformly. Pixels outside the image repeat its edge. */
  readonly shift: number
}

export interface AugmentDraw {
  readonly mirrored: boolean
  readonly shiftX: number
  readonly shiftY: number
}

/**
 * Draws the augmentation of image `index` in `epoch`. A pure function of its arguments, so neither the batch
 * order nor resuming a run changes it.
 */
export function drawAugmentation(
  options: Augmentation,
  seed: number,
  epoch: number,
  index: number,
): AugmentDraw {
  const stream = new PhiloxStream(seed, streams.augmentation, epoch * 2 ** 32 + index)
  const mirrored = stream.uniform() < 0.5
  const range = 2 * options.shift + 1
  const shiftX = stream.integer(range) - options.shift
  const shiftY = stream.integer(range) - options.shift
  return { mirrored: options.flip && mirrored, shiftX, shiftY }
}

/** Copies an image [3, size, size] to `out` at `offset`, augmented by `draw`. */
export function copyAugmented(
  image: Float32Array,
  size: number,
  draw: AugmentDraw,
  out: Float32Array,
  offset: number,
): void {
  const columns = Int32Array.from({ length: size }, (_, x) => {
    const column = Math.min(Math.max(x + draw.shiftX, 0), size - 1)
    return draw.mirrored ? size - 1 - column : column
  })
  let to = offset
  for (let channel = 0; channel < 3; channel++)
    for (let y = 0; y < size; y++) {
      const row = (channel * size + Math.min(Math.max(y + draw.shiftY, 0), size - 1)) * size
      for (let x = 0; x < size; x++) out[to++] = image[row + columns[x]]
    }
}

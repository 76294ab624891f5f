/** A decoded image: interleaved bytes, row by row; a fourth channel is ignored. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly channels: 3 | 4
  readonly data: Uint8Array | Uint8ClampedArray
}

/** From shares (u, v) of a crop's sides to pixels of the image: x = a·u + c·v + e, y = b·u + d·v + f. */
export interface Frame {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly e: number
  readonly f: number
}

/** What a crop shows where it leaves the image: gray, or the nearest pixel. */
export type Outside = 'gray' | 'nearest'

const GRAY = 128

/**
 * The part of an image that a frame marks, resized to width×height. → RGB values from 0 to 255, row by row.
 *
 * Each output pixel is the mean of a grid of bilinear samples, at least one for each image pixel in its width and
 * height: shrinking does not alias, and the same pixels give the same bits in Node and in a page.
 */
export function sample(
  image: Pixels,
  frame: Frame,
  width: number,
  height: number,
  outside: Outside,
): Float32Array {
  const { a, b, c, d, e, f } = frame
  const across = Math.max(1, Math.ceil(Math.hypot(a, b) / width))
  const down = Math.max(1, Math.ceil(Math.hypot(c, d) / height))
  const crop = new Float32Array(width * height * 3)
  const sum = new Float64Array(3)
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at += 3) {
      sum.fill(0)
      for (let j = 0; j < down; j++) {
        const v = (row + (j + 0.5) / down) / height
        for (let i = 0; i < across; i++) {
          const u = (column + (i + 0.5) / across) / width
          addBilinear(image, a * u + c * v + e - 0.5, b * u + d * v + f - 0.5, outside, sum)
        }
      }
      for (let channel = 0; channel < 3; channel++) crop[at + channel] = sum[channel] / (across * down)
    }
  }
  return crop
}

/** As bytes. */
export function rounded(values: Float32Array): Uint8Array {
  return Uint8Array.from(values, Math.round)
}

/** Adds the color at (x, y), where whole numbers are the middles of pixels. */
function addBilinear(image: Pixels, x: number, y: number, outside: Outside, sum: Float64Array): void {
  const [left, top] = [Math.floor(x), Math.floor(y)]
  const [right, bottom] = [x - left, y - top]
  addPixel(image, left, top, (1 - right) * (1 - bottom), outside, sum)
  addPixel(image, left + 1, top, right * (1 - bottom), outside, sum)
  addPixel(image, left, top + 1, (1 - right) * bottom, outside, sum)
  addPixel(image, left + 1, top + 1, right * bottom, outside, sum)
}

function addPixel(
  { width, height, channels, data }: Pixels,
  x: number,
  y: number,
  weight: number,
  outside: Outside,
  sum: Float64Array,
): void {
  const isOutside = x < 0 || y < 0 || x >= width || y >= height
  if (isOutside && outside === 'gray') {
    for (let channel = 0; channel < 3; channel++) sum[channel] += weight * GRAY
    return
  }
  const [column, row] = [Math.min(Math.max(x, 0), width - 1), Math.min(Math.max(y, 0), height - 1)]
  const at = (row * width + column) * channels
  for (let channel = 0; channel < 3; channel++) sum[channel] += weight * data[at + channel]
}

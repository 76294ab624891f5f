/**
 * Decoded images → network input.
 *
 * `imagenet`: (v/255 − mean) / standard deviation per channel, with ImageNet's constants, as in the
 * reference.
 *
 * `highpass`: each channel minus its local mean (a k×k box mean applied twice; at the border, the mean of the
 * pixels inside the image), then the whole image divided by its own standard deviation. This removes the
 * color of skin, light and background, which otherwise dominates the variance of the input, so that small
 * models learn AUs within minutes. k = 9 at 64 px and grows with the image size.
 */

export const standardisations = ['imagenet', 'highpass'] as const
export type Standardisation = (typeof standardisations)[number]

/** By channel, of values from 0 to 1. */
export const imagenetMean = [0.485, 0.456, 0.406]
export const imagenetDeviation = [0.229, 0.224, 0.225]
/** Keeps a uniform image at zero instead of amplifying rounding errors. */
const SMALLEST_DEVIATION = 1e-4

/** RGB bytes, size·size·3 row-major → [3, size, size]. */
export function standardise(pixels: Uint8Array, size: number, kind: Standardisation): Float32Array {
  if (pixels.length !== size * size * 3)
    throw new RangeError(
      `standardise: ${pixels.length} bytes; expected ${size}·${size}·3 = ${size * size * 3}`,
    )
  // Callers may be untyped.
  if (!standardisations.includes(kind))
    throw new RangeError(`standardise: "${kind}"; expected ${standardisations.join(' or ')}`)
  return kind === 'imagenet' ? imagenet(pixels, size) : highpass(pixels, size)
}

function imagenet(pixels: Uint8Array, size: number): Float32Array {
  const area = size * size
  const out = new Float32Array(3 * area)
  for (let channel = 0; channel < 3; channel++) {
    const mean = imagenetMean[channel]
    const factor = 1 / imagenetDeviation[channel]
    for (let at = 0; at < area; at++)
      out[channel * area + at] = (pixels[at * 3 + channel] / 255 - mean) * factor
  }
  return out
}

/** The odd window width nearest to 9/64 of the side, at least 3: a width of 1 would remove everything. */
export function highpassWindow(size: number): number {
  return Math.max(3, 2 * Math.floor((9 * size) / 128) + 1)
}

/** Mean over a window along one axis, by running sums. `stride` is along the axis, `across` between lines. */
function boxMeanLines(
  from: Float64Array,
  to: Float64Array,
  size: number,
  radius: number,
  stride: number,
  across: number,
): void {
  for (let line = 0; line < size; line++) {
    const start = line * across
    let sum = 0
    let count = 0
    for (let at = 0; at < Math.min(radius, size); at++, count++) sum += from[start + at * stride]
    for (let at = 0; at < size; at++) {
      if (at + radius < size) {
        sum += from[start + (at + radius) * stride]
        count++
      }
      if (at - radius > 0) {
        sum -= from[start + (at - radius - 1) * stride]
        count--
      }
      to[start + at * stride] = sum / count
    }
  }
}

function highpass(pixels: Uint8Array, size: number): Float32Array {
  const area = size * size
  const radius = (highpassWindow(size) - 1) / 2
  const out = new Float32Array(3 * area)
  const smooth = new Float64Array(area)
  const half = new Float64Array(area)
  for (let channel = 0; channel < 3; channel++) {
    for (let at = 0; at < area; at++) smooth[at] = pixels[at * 3 + channel] / 255
    for (let pass = 0; pass < 2; pass++) {
      boxMeanLines(smooth, half, size, radius, 1, size)
      boxMeanLines(half, smooth, size, radius, size, 1)
    }
    for (let at = 0; at < area; at++) out[channel * area + at] = pixels[at * 3 + channel] / 255 - smooth[at]
  }
  return divideByDeviation(out)
}

function divideByDeviation(values: Float32Array): Float32Array {
  let sum = 0
  let squares = 0
  for (const value of values) {
    sum += value
    squares += value * value
  }
  const mean = sum / values.length
  const factor =
    1 / Math.max(Math.sqrt(Math.max(squares / values.length - mean * mean, 0)), SMALLEST_DEVIATION)
  for (let at = 0; at < values.length; at++) values[at] *= factor
  return values
}

import { Budget } from './budget.js'
import { type ImageFormat, imageFormat } from './imageFormat.js'
import type { ImageDecoder } from './imageSet.js'

/** As many as large cameras have. Larger images are of something else, or made to exhaust memory. */
const MAX_PIXELS = 50_000_000
const BYTES_PER_PIXEL = 4
/** Limits the memory of decoded images that are not resized yet. */
const inFlight = new Budget(2 ** 28)

/**
 * Calls `decode` for an image whose format and size are checked, and whose pixels there is memory for.
 *
 * @throws Error with the reason, if it is no image or has more than `maxPixels` pixels
 */
export async function guarded<T>(
  bytes: Uint8Array,
  decode: (format: ImageFormat) => Promise<T>,
  maxPixels = MAX_PIXELS,
): Promise<T> {
  const format = imageFormat(bytes)
  const pixels = format.width * format.height
  if (pixels > maxPixels)
    throw new Error(
      `${format.width}×${format.height} pixels; at most ${(maxPixels / 1e6).toLocaleString('en-US')} million are supported`,
    )
  return inFlight.run(pixels * BYTES_PER_PIXEL, () => decode(format))
}

/** Wraps a platform's decoder: it only receives images whose format and size have been checked. */
export function guardedDecoder(
  decode: (bytes: Uint8Array, size: number, format: ImageFormat) => Promise<Uint8Array>,
): ImageDecoder {
  return {
    decode: (bytes, size, maxPixels) => guarded(bytes, (format) => decode(bytes, size, format), maxPixels),
  }
}

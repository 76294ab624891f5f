import { Budget } from './budget.js'
import { type ImageFormat, imageFormat } from './imageFormat.js'
import type { ImageDecoder } from './imageSet.js'

/** A camera's largest; what asks for more is an image of something else, or made to fill memory. */
const MAX_PIXELS = 50_000_000
const BYTES_PER_PIXEL = 4
/** Decoded images that are held at the same time, before they are made smaller. */
const inFlight = new Budget(2 ** 28)

/** The decoder of a platform, shown only images whose format and size were looked at before. */
export function guardedDecoder(
  decode: (bytes: Uint8Array, size: number, format: ImageFormat) => Promise<Uint8Array>,
): ImageDecoder {
  return {
    async decode(bytes, size, maxPixels = MAX_PIXELS) {
      const format = imageFormat(bytes)
      const pixels = format.width * format.height
      if (pixels > maxPixels)
        throw new Error(
          `${format.width}×${format.height} pixels; at most ${(maxPixels / 1e6).toLocaleString('en-US')} million are read`,
        )
      return inFlight.run(pixels * BYTES_PER_PIXEL, () => decode(bytes, size, format))
    },
  }
}

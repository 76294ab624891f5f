import type { Pixels } from '../face/sample.js'
import { guarded } from './guardedDecoder.js'

/** All pixels of an image, upright by its EXIF orientation, on black where it is transparent. @throws Error with the reason */
export function decodePixels(bytes: Uint8Array, maxPixels?: number): Promise<Pixels> {
  const decode = async (): Promise<Pixels> => {
    const { default: sharp } = await import('sharp')
    const { data, info } = await sharp(bytes, { failOn: 'truncated', autoOrient: true })
      .flatten()
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    if (info.channels !== 3) throw new Error(`${info.channels} color channels; expected 3`)
    return { width: info.width, height: info.height, channels: 3, data }
  }
  return guarded(bytes, decode, maxPixels)
}

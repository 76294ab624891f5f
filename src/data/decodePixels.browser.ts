import type { Pixels } from '../face/sample.js'
import { guarded } from './guardedDecoder.js'

/** All pixels of an image, upright by its EXIF orientation, on black where it is transparent. @throws Error with the reason */
export function decodePixels(bytes: Uint8Array): Promise<Pixels> {
  return guarded(bytes, async ({ type }) =>
    bitmapPixels(await createImageBitmap(new Blob([new Uint8Array(bytes)], { type }))),
  )
}

/** The pixels of an image, which is used up. */
export function bitmapPixels(image: ImageBitmap): Pixels {
  const { width, height } = image
  const context = new OffscreenCanvas(width, height).getContext('2d', {
    alpha: false,
    willReadFrequently: true,
  })!
  context.drawImage(image, 0, 0)
  image.close()
  return { width, height, channels: 4, data: context.getImageData(0, 0, width, height).data }
}

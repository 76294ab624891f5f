import { guardedDecoder } from './guardedDecoder.js'

/**
 * Decodes with `createImageBitmap`; the counterpart of decodeImage.node.ts. Resizes to size×size (aspect
 * ratio not kept), converts to sRGB, applies the EXIF orientation, and puts transparent images on black.
 * Without scaling, the result in Chromium equals that in Node (up to 1 of 255 for transparent images). When
 * scaling, the browser's filter differs from sharp's.
 */
export const imageDecoder = guardedDecoder(async (bytes, size, { type }) => {
  const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type }), {
    resizeWidth: size,
    resizeHeight: size,
    resizeQuality: 'high',
  })
  const { data } = drawn(bitmap, size)
  bitmap.close()
  return withoutAlpha(data)
})

function drawn(bitmap: ImageBitmap, size: number): ImageData {
  const context = new OffscreenCanvas(size, size).getContext('2d', {
    alpha: false,
    willReadFrequently: true,
  })!
  context.drawImage(bitmap, 0, 0)
  return context.getImageData(0, 0, size, size)
}

/** RGBA bytes of a canvas → RGB. */
export function withoutAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3)
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from]
    rgb[to++] = rgba[from + 1]
    rgb[to++] = rgba[from + 2]
  }
  return rgb
}

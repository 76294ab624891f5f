import sharp from 'sharp'
import { guardedDecoder } from './guardedDecoder.js'

// A batch decodes many small images at once: one thread each is faster than several on every one.
sharp.concurrency(1)

/**
 * Decodes with sharp: straight resize to size×size (bilinear, antialiased, aspect not kept), as the reference does
 * for pretraining and evaluation; grey, palette and alpha images become RGB. Turned as EXIF says, unlike the reference, since browsers
 * cannot leave that out.
 */
export const imageDecoder = guardedDecoder(async (bytes, size) => {
  const { data, info } = await sharp(bytes, { failOn: 'truncated', autoOrient: true })
    .flatten()
    .toColourspace('srgb')
    .resize(size, size, { fit: 'fill', kernel: 'linear' })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  if (info.channels !== 3) throw new Error(`${info.channels} colour channels instead of 3`)
  return data
})

import { guardedDecoder } from './guardedDecoder.js'

/** Loading sharp takes a tenth of a second, which commands that read no images need not wait for. */
async function loadSharp() {
  const { default: sharp } = await import('sharp')
  // A batch decodes many small images at once: one thread per image is faster than several.
  sharp.concurrency(1)
  return sharp
}

/**
 * Decodes with sharp: resizes to size×size (bilinear, antialiased, aspect ratio not kept), as the reference
 * does for pretraining and evaluation. Gray, palette and alpha images become RGB. Applies the EXIF
 * orientation, unlike the reference, because browsers always apply it.
 */
export const imageDecoder = guardedDecoder(async (bytes, size) => {
  const sharp = await loadSharp()
  const { data, info } = await sharp(bytes, { failOn: 'truncated', autoOrient: true })
    .flatten()
    .toColourspace('srgb')
    .resize(size, size, { fit: 'fill', kernel: 'linear' })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  if (info.channels !== 3) throw new Error(`${info.channels} color channels; expected 3`)
  return data
})

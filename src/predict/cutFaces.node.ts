import { imageDecoder } from '../data/decodeImage.node.js'
import { decodePixels } from '../data/decodePixels.node.js'
import type { Crop } from '../face/crop.js'
import { cropFrame, cropped } from '../face/faceFinder.js'
import { openFaceFinder } from '../face/faceModels.node.js'
import type { Pixels } from '../face/sample.js'
import type { CutImage, ImageContent } from './prediction.js'

export interface CutOptions {
  readonly crop: Crop
  /** Side of the classifier's input in pixels. */
  readonly side: number
}

/** Decodes an image, finds its faces, and cuts them out. @throws Error with the reason if it cannot be decoded */
export async function cutFaces(content: ImageContent, { crop, side }: CutOptions): Promise<CutImage> {
  if (crop === 'none')
    return { imageSize: null, faces: [{ face: null, rgb: await wholeImage(content, side) }] }
  const pixels = 'pixels' in content ? content.pixels : await decodePixels(content.encoded)
  const faces = (await openFaceFinder()).find(pixels).map((face) => ({
    face,
    rgb: cropped(pixels, cropFrame(pixels, face, crop), side),
  }))
  return { imageSize: { width: pixels.width, height: pixels.height }, faces }
}

/** As training reads images: the aspect ratio is not kept. */
function wholeImage(content: ImageContent, side: number): Promise<Uint8Array> {
  return 'encoded' in content ? imageDecoder.decode(content.encoded, side) : squeezed(content.pixels, side)
}

async function squeezed({ width, height, channels, data }: Pixels, side: number): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp')
  return sharp(data, { raw: { width, height, channels } })
    .resize(side, side, { fit: 'fill', kernel: 'linear' })
    .removeAlpha()
    .raw()
    .toBuffer()
}

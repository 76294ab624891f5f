import { UserError } from '../errors.js'
import type { Crop } from '../face/crop.js'
import { cropFrame, cropped } from '../face/faceFinder.js'
import { openFaceFinder } from '../face/faceModels.node.js'
import { decodePixels } from './decodePixels.node.js'
import type { ImageDecoder } from './imageSet.js'

/** Decodes images to their largest face. @throws UserError for an image without a face */
export function croppingDecoder(crop: Exclude<Crop, 'none'>): ImageDecoder {
  return {
    async decode(bytes, size, maxPixels) {
      const pixels = await decodePixels(bytes, maxPixels)
      const [face] = (await openFaceFinder()).find(pixels)
      if (!face) throw new UserError('no face was found in the image; expected one, or --crop none')
      return cropped(pixels, cropFrame(pixels, face, crop), size)
    },
  }
}

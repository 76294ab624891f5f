import { expose, transfer } from 'comlink'
import { bitmapPixels } from '../../src/data/decodePixels.browser.js'
import { type FacePoints, faceFrame, frameCorners, type Point } from '../../src/face/align.js'
import { cropFrame, cropped, type FaceFinder } from '../../src/face/faceFinder.js'
import { openFaceFinder } from '../../src/face/faceModels.browser.js'

/** A face of an image, cropped and upright. Places are in pixels of the image. */
export interface FoundFace {
  /** Corners of the square that was cut out, clockwise from the top left of the upright face. */
  readonly corners: readonly Point[]
  readonly points: FacePoints
  /** How far the head leans to the right of the image, radians. */
  readonly rotation: number
  /** RGB bytes, side·side·3. */
  readonly crop: Uint8Array
  /** How many faces there are; this is the largest. */
  readonly faces: number
}

let loading: Promise<FaceFinder> | null = null

const finder = {
  /** The largest face of an image, which is used up; null if there is none. `side`: of the crop, in pixels. */
  async find(image: ImageBitmap, side: number): Promise<FoundFace | null> {
    try {
      loading ??= openFaceFinder(new URL('faceModels/', self.location.href))
      const pixels = bitmapPixels(image)
      const faces = (await loading).find(pixels)
      if (faces.length === 0) return null
      const [face] = faces
      const crop = cropped(pixels, cropFrame(pixels, face, 'aligned'), side)
      const frame = faceFrame(face.points)
      const [corners, rotation] = [frameCorners(frame), Math.atan2(frame.b, frame.a)]
      const found = { corners, points: face.points, rotation, crop, faces: faces.length }
      return transfer(found, [crop.buffer])
    } catch (error) {
      throw new Error(`Face detection failed: ${error instanceof Error ? error.message : String(error)}`)
    }
  },

  /** The whole image squeezed into a square, as the command line does; the image is used up. → RGB bytes, side·side·3. */
  whole(image: ImageBitmap, side: number): Uint8Array {
    const pixels = bitmapPixels(image)
    const crop = cropped(pixels, cropFrame(pixels, null, 'none'), side)
    return transfer(crop, [crop.buffer])
  },
}

export type Finder = typeof finder

expose(finder)

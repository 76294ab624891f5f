import { type FacePoints, faceFrame } from './align.js'
import type { Box } from './box.js'
import type { Crop } from './crop.js'
import { detectFaces } from './detectFaces.js'
import { facePoints } from './faceMesh.js'
import type { GraphModel } from './graphModel.js'
import { type Frame, type Pixels, rounded, sample } from './sample.js'

/** A face of an image, in its pixels. */
export interface Face {
  /** The detector's box. */
  readonly box: Box
  /** The detector's, from 0 to 1. */
  readonly confidence: number
  readonly points: FacePoints
}

/** Share of the box by which `found` widens it on each side. */
const MARGIN = 0.05

/** Finds faces and their points. The two networks are those of `faceModels`. */
export class FaceFinder {
  constructor(
    readonly detector: GraphModel,
    readonly mesh: GraphModel,
  ) {}

  /** All faces, the largest first. */
  find(image: Pixels): Face[] {
    return detectFaces(this.detector, image).flatMap((detection) => {
      const points = facePoints(this.mesh, image, detection)
      const { box, confidence } = detection
      return points ? [{ box, confidence, points }] : []
    })
  }
}

/** Where a crop lies in the image. `face` may only be null for `none`. */
export function cropFrame(image: Pixels, face: Face | null, crop: Crop): Frame {
  if (crop === 'none' || !face) return { a: image.width, b: 0, c: 0, d: image.height, e: 0, f: 0 }
  if (crop === 'aligned') {
    const { a, b, e, f } = faceFrame(face.points)
    return { a, b, c: -b, d: a, e, f }
  }
  const { x, y, width, height } = face.box
  const widened = 1 + 2 * MARGIN
  return {
    a: widened * width,
    b: 0,
    c: 0,
    d: widened * height,
    e: x - MARGIN * width,
    f: y - MARGIN * height,
  }
}

/** The crop as a network's input. → RGB bytes, side·side·3; gray where it leaves the image. */
export function cropped(image: Pixels, frame: Frame, side: number): Uint8Array {
  return rounded(sample(image, frame, side, side, 'gray'))
}

import { type FacePoints, middle, type Point } from './align.js'
import type { Detection } from './detectFaces.js'
import type { GraphModel } from './graphModel.js'
import { type Frame, type Pixels, sample } from './sample.js'

/** Side of the network's input. */
const SIDE = 192
/** Side of the square that the network sees, in sides of the detector's box. */
const WIDENED = 1.5
const OUTPUTS = ['Identity_2', 'Identity_1'] as const
/** Below this, what the square shows is no face. */
const LEAST_FACE = 0.5

/** Indices of the mesh (MediaPipe's numbering). */
const INDICES = { leftEye: [33, 133], rightEye: [362, 263], noseBase: [2] } as const

/**
 * The points of a detected face, in pixels of the image; null if the network sees no face there. MediaPipe's face
 * mesh (Kartynnik et al. 2019): 468 points of the upright face.
 */
export function facePoints(model: GraphModel, image: Pixels, detection: Detection): FacePoints | null {
  const frame = uprightSquare(detection)
  const view = sample(image, frame, SIDE, SIDE, 'nearest')
  const input = { height: SIDE, width: SIDE, channels: 3, data: view.map((value) => value / 255) }
  const [mesh, flag] = model.run(input, OUTPUTS)
  if (flag.data[0] < LEAST_FACE) return null
  const point = (index: number): Point => {
    const [u, v] = [mesh.data[3 * index] / SIDE, mesh.data[3 * index + 1] / SIDE]
    return [frame.a * u + frame.c * v + frame.e, frame.b * u + frame.d * v + frame.f]
  }
  const at = (indices: readonly number[]) => middle(indices.map(point))
  return { leftEye: at(INDICES.leftEye), rightEye: at(INDICES.rightEye), noseBase: at(INDICES.noseBase) }
}

/** A square around the box, turned so that the eyes are level. */
function uprightSquare({ box, eyes: [left, right] }: Detection): Frame {
  const side = WIDENED * Math.max(box.width, box.height)
  const turn = Math.atan2(right[1] - left[1], right[0] - left[0])
  const [cos, sin] = [side * Math.cos(turn), side * Math.sin(turn)]
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
  return { a: cos, b: sin, c: -sin, d: cos, e: x - (cos - sin) / 2, f: y - (sin + cos) / 2 }
}

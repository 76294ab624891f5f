/** x to the right, y down. */
export type Point = readonly [x: number, y: number]

/** Three places of a face that stay put whatever the face does. */
export interface FacePoints {
  /** Middle between the corners of the eye on the left of the image, which is the subject's right one. */
  readonly leftEye: Point
  readonly rightEye: Point
  /** Where the nose meets the upper lip. */
  readonly noseBase: Point
}

/**
 * Where those points lie in the bundled faces, as shares of the image's side: the framing of crop `aligned`. Means
 * over every 50th of the rendered images in which this finder sees a face (79 of 81), made symmetrical. Standard
 * deviations are 2 % of the side for the eyes and 3 % for the nose; the rendered framing itself was varied by ±5 %.
 */
export const bundledFraming: FacePoints = {
  leftEye: [0.268, 0.303],
  rightEye: [0.732, 0.303],
  noseBase: [0.5, 0.621],
}

/** A turn, a scaling and a shift: (x, y) → (a·x − b·y + e, b·x + a·y + f). */
export interface Similarity {
  readonly a: number
  readonly b: number
  readonly e: number
  readonly f: number
}

export function apply({ a, b, e, f }: Similarity, [x, y]: Point): Point {
  return [a * x - b * y + e, b * x + a * y + f]
}

export function inverse({ a, b, e, f }: Similarity): Similarity {
  const square = a * a + b * b
  const [p, q] = [a / square, -b / square]
  return { a: p, b: q, e: q * f - p * e, f: -q * e - p * f }
}

/**
 * The similarity that takes `from` to `to` with the least sum of squared distances (Umeyama 1991, in the
 * plane, without mirroring). Points as complex numbers about their means: a + ib = Σ conj(z)·w / Σ |z|².
 *
 * @throws RangeError where all points of `from` are one, or the lists differ in length
 */
export function similarity(from: readonly Point[], to: readonly Point[]): Similarity {
  if (from.length !== to.length || from.length < 2)
    throw new RangeError(`similarity: ${from.length} and ${to.length} points; expected two or more, as many`)
  const [fromMiddle, toMiddle] = [middle(from), middle(to)]
  let [a, b, square] = [0, 0, 0]
  from.forEach((point, i) => {
    const [x, y] = minus(point, fromMiddle)
    const [u, v] = minus(to[i], toMiddle)
    a += x * u + y * v
    b += x * v - y * u
    square += x * x + y * y
  })
  if (square === 0) throw new RangeError('similarity: all points are the same')
  const turn = { a: a / square, b: b / square, e: 0, f: 0 }
  const [e, f] = minus(toMiddle, apply(turn, fromMiddle))
  return { ...turn, e, f }
}

/** From shares of the aligned square's side to pixels of the image. */
export function faceFrame(points: FacePoints): Similarity {
  return similarity(inOrder(bundledFraming), inOrder(points))
}

/** The corners of the aligned square in the image, clockwise from the top left. */
export function frameCorners(frame: Similarity): readonly Point[] {
  const corners: readonly Point[] = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ]
  return corners.map((corner) => apply(frame, corner))
}

export function middle(points: readonly Point[]): Point {
  const sum = points.reduce<Point>(([x, y], point) => [x + point[0], y + point[1]], [0, 0])
  return [sum[0] / points.length, sum[1] / points.length]
}

function minus([x, y]: Point, [u, v]: Point): Point {
  return [x - u, y - v]
}

function inOrder({ leftEye, rightEye, noseBase }: FacePoints): readonly Point[] {
  return [leftEye, rightEye, noseBase]
}

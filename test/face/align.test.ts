import fc from 'fast-check'
import t from 'tap'
import {
  apply,
  bundledFraming,
  type FacePoints,
  faceFrame,
  frameCorners,
  inverse,
  middle,
  type Point,
  type Similarity,
  similarity,
} from '../../src/face/align.js'

const close = (a: Point, b: Point, tolerance = 1e-9) => Math.hypot(a[0] - b[0], a[1] - b[1]) <= tolerance

const coordinate = fc.double({ min: -1000, max: 1000, noNaN: true })
const point = fc.tuple(coordinate, coordinate)
const anySimilarity = fc
  .record({
    scale: fc.double({ min: 0.01, max: 100, noNaN: true }),
    angle: fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
    e: coordinate,
    f: coordinate,
  })
  .map(
    ({ scale, angle, e, f }): Similarity => ({
      a: scale * Math.cos(angle),
      b: scale * Math.sin(angle),
      e,
      f,
    }),
  )

function moved({ leftEye, rightEye, noseBase }: FacePoints, by: Similarity): FacePoints {
  return { leftEye: apply(by, leftEye), rightEye: apply(by, rightEye), noseBase: apply(by, noseBase) }
}

t.test('a face that is a turned, scaled and shifted bundled face is found exactly', async () => {
  fc.assert(
    fc.property(anySimilarity, (by) => {
      const frame = faceFrame(moved(bundledFraming, by))
      return (['a', 'b', 'e', 'f'] as const).every((key) => Math.abs(frame[key] - by[key]) < 1e-7)
    }),
  )
})

t.test('an upright face of known size has the square that follows from the framing', async (t) => {
  const frame = faceFrame(moved(bundledFraming, { a: 200, b: 0, e: 30, f: 50 }))
  const expected: readonly Point[] = [
    [30, 50],
    [230, 50],
    [230, 250],
    [30, 250],
  ]
  frameCorners(frame).forEach((corner, i) => {
    t.ok(close(corner, expected[i]), `corner ${i} at ${corner}`)
  })
})

t.test('a head leaning to the right of the picture turns the square clockwise', async (t) => {
  const angle = Math.PI / 6
  const lean = { a: 100 * Math.cos(angle), b: 100 * Math.sin(angle), e: 0, f: 0 }
  const frame = faceFrame(moved(bundledFraming, lean))
  t.ok(Math.abs(Math.atan2(frame.b, frame.a) - angle) < 1e-9)
  const [topLeft, topRight] = frameCorners(frame)
  t.ok(topRight[1] > topLeft[1], 'the top edge falls to the right')
})

t.test('no other similarity has a smaller sum of squared distances', async () => {
  const points = fc.array(fc.tuple(point, point), { minLength: 3, maxLength: 6 })
  fc.assert(
    fc.property(points, fc.integer({ min: 0, max: 7 }), (pairs, direction) => {
      const from = pairs.map(([z]) => z)
      const to = pairs.map(([, w]) => w)
      fc.pre(spread(from) > 1)
      const best = similarity(from, to)
      const key = (['a', 'b', 'e', 'f'] as const)[direction >> 1]
      const other = { ...best, [key]: best[key] + (direction % 2 ? 1e-3 : -1e-3) }
      return squares(best, from, to) <= squares(other, from, to) * (1 + 1e-12)
    }),
  )
})

function squares(by: Similarity, from: readonly Point[], to: readonly Point[]): number {
  return from.reduce((sum, z, i) => {
    const [x, y] = apply(by, z)
    return sum + (x - to[i][0]) ** 2 + (y - to[i][1]) ** 2
  }, 0)
}

function spread(points: readonly Point[]): number {
  const [x, y] = middle(points)
  return Math.max(...points.map((p) => Math.hypot(p[0] - x, p[1] - y)))
}

t.test('the inverse undoes it', async () => {
  fc.assert(fc.property(anySimilarity, point, (by, z) => close(apply(inverse(by), apply(by, z)), z, 1e-6)))
})

t.test('points that fix no frame are refused', async (t) => {
  const one: Point = [3, 3]
  t.throws(() => similarity([one, one, one], [one, [1, 2], [3, 4]]), RangeError)
  t.throws(() => similarity([one], [one]), RangeError)
  t.throws(() => similarity([one, [0, 0]], [one]), RangeError)
})

/**
 * Where paint goes. The model has no textures, so each vertex carries a few distances measured on the mean
 * face; the fragment shader turns them into brows, lips, lids and irises of every person's own width and colour.
 */
import type { FaceModel } from './faceModel.js'

/** Floats per vertex of `paintVertices`: position on the mean face (3), then the fields below. */
export const paintStride = 11

const far = 9

type Point = readonly [number, number, number]

function pointAt(model: FaceModel, vertex: number): Point {
  return [model.neutral[3 * vertex], model.neutral[3 * vertex + 1], model.neutral[3 * vertex + 2]]
}

const landmarkPoints = (model: FaceModel, first: number, last: number): Point[] =>
  Array.from({ length: last - first + 1 }, (_, i) => pointAt(model, model.landmarks[first + i]))

/** Closed Catmull-Rom curve through the points, 8 pieces between neighbours. */
function smoothLoop(points: readonly Point[]): Point[] {
  const n = points.length
  return points.flatMap((_, i) => {
    const [a, b, c, d] = [-1, 0, 1, 2].map((k) => points[(i + k + n) % n]) as [Point, Point, Point, Point]
    return Array.from({ length: 8 }, (_, step) => {
      const t = step / 8
      const at = (k: 0 | 1 | 2) =>
        0.5 *
        (2 * b[k] +
          (c[k] - a[k]) * t +
          (2 * a[k] - 5 * b[k] + 4 * c[k] - d[k]) * t * t +
          (3 * b[k] - a[k] - 3 * c[k] + d[k]) * t * t * t)
      return [at(0), at(1), at(2)] as const
    })
  })
}

/** Distance to a polyline in the xy plane, and how far along it (0…1, by segments) the nearest point lies. */
function nearest(line: readonly Point[], p: Point): { distance: number; along: number } {
  let best = { distance: far, along: 0 }
  for (let i = 0; i + 1 < line.length; i++) {
    const [a, b] = [line[i], line[i + 1]]
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]]
    const t = Math.min(1, Math.max(0, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / (dx * dx + dy * dy)))
    const distance = Math.hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy)
    if (distance < best.distance) best = { distance, along: (i + t) / (line.length - 1) }
  }
  return best
}

function inside(loop: readonly Point[], p: Point): boolean {
  let crossings = 0
  for (let i = 0; i < loop.length; i++) {
    const [a, b] = [loop[i], loop[(i + 1) % loop.length]]
    if (a[1] > p[1] !== b[1] > p[1] && p[0] < a[0] + ((p[1] - a[1]) / (b[1] - a[1])) * (b[0] - a[0]))
      crossings++
  }
  return crossings % 2 === 1
}

/**
 * Interleaved vertex attributes [V, 11]: x, y, z on the mean face; distance to the brow line; position along it
 * (0 inner, 1 outer end); depth inside the lip outline (negative outside); distance to the lid edge; distance
 * from the pupil (eyes only, else 9); membership of mouth socket, gums and teeth (0 or 1).
 */
export function paintVertices(model: FaceModel): Float32Array<ArrayBuffer> {
  const out = new Float32Array(model.vertexCount * paintStride)
  const rightBrow = landmarkPoints(model, 17, 21).reverse()
  const leftBrow = landmarkPoints(model, 22, 26)
  const close = (loop: Point[]) => [...loop, loop[0]]
  const lips = close(smoothLoop(landmarkPoints(model, 48, 59)))
  const lids = [close(landmarkPoints(model, 36, 41)), close(landmarkPoints(model, 42, 47))] as const
  for (let v = 0; v < model.vertexCount; v++) {
    const p = pointAt(model, v)
    const front = p[2] > 4
    const brow = front ? nearest(p[0] > 0 ? leftBrow : rightBrow, p) : { distance: far, along: 0 }
    const lipDistance = p[2] > 9 ? nearest(lips, p).distance : far
    const lip = p[2] > 9 && inside(lips, p) ? lipDistance : -lipDistance
    const lid = front ? nearest(lids[p[0] > 0 ? 1 : 0], p).distance : far
    out.set([...p, brow.distance, brow.along, lip, lid, far, 0, 0, 0], v * paintStride)
  }
  for (const side of ['L', 'R']) paintEye(model, model.partVertices[`sclera_${side}`], out)
  const member = (part: string, field: number) => {
    const [first, count] = model.partVertices[part]
    for (let v = first; v < first + count; v++) out[v * paintStride + field] = 1
  }
  member('mouth_socket', 8)
  member('gums_tongue', 9)
  member('teeth', 10)
  return out
}

/** Distance from the pupil, the frontmost vertex of the eyeball, in x and y: painted so, it follows the gaze. */
function paintEye(model: FaceModel, [first, count]: readonly [number, number], out: Float32Array): void {
  let pupil = pointAt(model, first)
  for (let v = first; v < first + count; v++) if (pointAt(model, v)[2] > pupil[2]) pupil = pointAt(model, v)
  for (let v = first; v < first + count; v++) {
    const [x, y, z] = pointAt(model, v)
    // The back half of the ball would fold onto the iris in x and y: push it out of reach.
    const radius = Math.hypot(x - pupil[0], y - pupil[1]) + (pupil[2] - z > 1.2 ? 2 : 0)
    out[v * paintStride + 7] = Math.min(radius, 4)
    out[v * paintStride + 3] = far
    out[v * paintStride + 5] = -far
  }
}

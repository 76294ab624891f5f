/** The mesh as the kernels want it: packed shapes, triangles worth drawing, triangles around each vertex. */
import type { FaceModel } from './faceModel.js'

/** Words of a [rows, floats] table of 16-bit numbers, each row padded to whole words. */
export function packRows(numbers: Int16Array, rows: number): Uint32Array<ArrayBuffer> {
  const floats = numbers.length / rows
  const padded = new Int16Array(rows * (floats + (floats % 2)))
  for (let row = 0; row < rows; row++)
    padded.set(numbers.subarray(row * floats, (row + 1) * floats), row * (floats + (floats % 2)))
  return new Uint32Array(padded.buffer)
}

/** z of the unit normal of a triangle on the mean face: 1 faces the camera, -1 the back of the head. */
function facing({ neutral }: FaceModel, [a, b, c]: Uint32Array): number {
  const edge = (to: number) => [0, 1, 2].map((i) => neutral[3 * to + i] - neutral[3 * a + i])
  const [u, v] = [edge(b), edge(c)]
  const cross = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
  return cross[2] / Math.max(1e-12, Math.hypot(...cross))
}

/**
 * Triangles worth drawing, three indices each: not the inner eye shells and the lashes (they need a texture),
 * nor anything that looks away by 45 degrees or more on the mean face: heads turn by 12 degrees at most.
 */
export function visibleTriangles(model: FaceModel): Uint32Array<ArrayBuffer> {
  const kept: number[] = []
  for (const [part, [first, count]] of Object.entries(model.partTriangles)) {
    if (part.startsWith('iris') || part.startsWith('lashes')) continue
    for (let t = first; t < first + count; t++) {
      const triangle = model.triangles.subarray(3 * t, 3 * t + 3)
      if (facing(model, triangle) > -Math.SQRT1_2) kept.push(...triangle)
    }
  }
  return Uint32Array.from(kept)
}

/** For each vertex the triangles around it, as pairs of the other two vertices in winding order. */
export function cornerTable(triangles: Uint32Array, vertexCount: number) {
  const start = new Uint32Array(vertexCount + 1)
  for (const vertex of triangles) start[vertex + 1]++
  for (let v = 0; v < vertexCount; v++) start[v + 1] += start[v]
  const filled = start.slice()
  const corners = new Uint32Array(2 * triangles.length)
  for (let t = 0; t < triangles.length; t += 3)
    for (let c = 0; c < 3; c++)
      corners.set(
        [triangles[t + ((c + 1) % 3)], triangles[t + ((c + 2) % 3)]],
        2 * filled[triangles[t + c]]++,
      )
  return { start, corners }
}

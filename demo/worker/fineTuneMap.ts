import { embed2d } from '../../src/report/embed2d.js'

export type Point = [x: number, y: number]

const SEED = 0

/**
 * A map of features in the plane by UMAP, within the unit circle. It grows out of `before`, the map of the
 * same images a little earlier, and is laid on it: UMAP knows neither place, size nor orientation.
 */
export function mapFeatures(
  features: readonly ArrayLike<number>[],
  before: readonly Point[] | null,
): Point[] {
  const layout = withinUnitCircle(embed2d(features, SEED, before))
  return before ? turnedTo(before, layout) : layout
}

/** Share of images whose nearest one, by Euclidean distance of the features, is of the same subject. */
export function nearestOfSameSubject(
  features: readonly ArrayLike<number>[],
  subjects: readonly number[],
): number {
  const same = features.filter((own, at) => {
    const distances = features.map((other, to) =>
      to === at ? Number.POSITIVE_INFINITY : distance(own, other),
    )
    return subjects[distances.indexOf(Math.min(...distances))] === subjects[at]
  })
  return same.length / features.length
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let squares = 0
  for (let d = 0; d < a.length; d++) squares += (a[d] - b[d]) ** 2
  return squares
}

/** Centred on the mean, the farthest point on the rim. */
export function withinUnitCircle(points: readonly Point[]): Point[] {
  const centre = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length)
  const centred = points.map(([x, y]): Point => [x - centre[0], y - centre[1]])
  const radius = Math.max(...centred.map(([x, y]) => Math.hypot(x, y))) || 1
  return centred.map(([x, y]) => [x / radius, y / radius])
}

/**
 * `points`, turned and mirrored about the origin so that the sum of squared distances to `target` is least:
 * the orthogonal Procrustes problem (Schönemann 1966), Q = argmax Σ target·(Q point). In the plane the best
 * turn and the best reflection are known in closed form; the better of the two is taken.
 */
export function turnedTo(target: readonly Point[], points: readonly Point[]): Point[] {
  let [xx, xy, yx, yy] = [0, 0, 0, 0]
  points.forEach(([x, y], at) => {
    const [u, v] = target[at]
    xx += x * u
    xy += x * v
    yx += y * u
    yy += y * v
  })
  const mirror = Math.hypot(xx - yy, xy + yx) > Math.hypot(xx + yy, xy - yx) ? -1 : 1
  // Mirrored first, (x, y) → (x, −y), a reflection is a turn too.
  const angle = Math.atan2(xy - mirror * yx, xx + mirror * yy)
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  return points.map(([x, y]) => [cos * x - mirror * sin * y, sin * x + mirror * cos * y])
}

import t from 'tap'
import {
  mapFeatures,
  nearestOfSameSubject,
  type Point,
  turnedTo,
  withinUnitCircle,
} from '../../demo/worker/fineTuneMap.js'
import { PhiloxStream } from '../../src/engine/random.js'

// Maps of features that follow one another are laid over each other.

const stream = new PhiloxStream(7, 1)
const cloud = (count: number): Point[] =>
  Array.from({ length: count }, () => [stream.normal(), 2 * stream.normal()])

function farthest(a: readonly Point[], b: readonly Point[]): number {
  return Math.max(...a.map(([x, y], at) => Math.hypot(x - b[at][0], y - b[at][1])))
}

function squares(a: readonly Point[], b: readonly Point[]): number {
  return a.reduce((sum, [x, y], at) => sum + (x - b[at][0]) ** 2 + (y - b[at][1]) ** 2, 0)
}

t.test('a turned or mirrored copy is laid exactly on the original', async (t) => {
  const original = withinUnitCircle(cloud(40))
  for (const degrees of [0, 30, 90, 180, 200, 355])
    for (const mirror of [1, -1]) {
      const angle = (degrees * Math.PI) / 180
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
      const copy = original.map(([x, y]): Point => [cos * x - mirror * sin * y, sin * x + mirror * cos * y])
      const distance = farthest(turnedTo(original, copy), original)
      t.ok(distance < 1e-12, `${degrees} degrees, ${mirror === 1 ? 'not mirrored' : 'mirrored'}: ${distance}`)
    }
})

t.test('of all turns and reflections the nearest is taken', async (t) => {
  const [target, points] = [cloud(30), cloud(30)]
  const best = squares(turnedTo(target, points), target)
  for (let degree = 0; degree < 360; degree++) {
    const [cos, sin] = [Math.cos((degree * Math.PI) / 180), Math.sin((degree * Math.PI) / 180)]
    for (const mirror of [1, -1]) {
      const other = points.map(([x, y]): Point => [cos * x - mirror * sin * y, sin * x + mirror * cos * y])
      if (squares(other, target) < best - 1e-9) t.fail(`${degree} degrees, mirror ${mirror} is nearer`)
    }
  }
  t.ok(best < squares(points, target))
})

t.test('a layout is centred and fills the unit circle; one of equal points stays finite', async (t) => {
  const placed = withinUnitCircle(cloud(25).map(([x, y]) => [x + 100, y - 40]))
  const radii = placed.map(([x, y]) => Math.hypot(x, y))
  t.ok(Math.abs(Math.max(...radii) - 1) < 1e-12)
  for (const axis of [0, 1]) t.ok(Math.abs(placed.reduce((sum, point) => sum + point[axis], 0)) < 1e-9)
  t.same(
    withinUnitCircle([
      [3, 4],
      [3, 4],
    ]),
    [
      [0, 0],
      [0, 0],
    ],
  )
})

/** Three groups of 20, apart in the first three of 8 dimensions. */
const grouped = Array.from({ length: 60 }, (_, row) =>
  Float32Array.from({ length: 8 }, (_, d) => (row % 3 === d ? 6 : 0) + stream.normal()),
)

t.test('features that changed little keep their places', async (t) => {
  const first = mapFeatures(grouped, null)
  t.same(mapFeatures(grouped, null), first, 'the same features give the same map')
  const changed = grouped.map((row) => row.map((value) => value + 0.02 * stream.normal()))
  const grown = mapFeatures(changed, first)
  const anew = mapFeatures(changed, null)
  const [near, far] = [squares(grown, first), squares(anew, first)]
  t.ok(near < 60 * 0.4 ** 2, `root mean square move ${Math.sqrt(near / 60)} of the radius`)
  t.ok(near < far, `begun anew it would be ${Math.sqrt(far / 60)}`)
})

t.test('a map that grows out of another still follows its features', async (t) => {
  const subjects = grouped.map((_, row) => row % 3)
  const shuffled = grouped.map((_, row) => grouped[(row * 7 + 3) % 60])
  const map = mapFeatures(shuffled, mapFeatures(grouped, null))
  const mixed = subjects.map((_, row) => subjects[(row * 7 + 3) % 60])
  t.ok(nearestOfSameSubject(map, mixed) > 0.95, `${nearestOfSameSubject(map, mixed)} lie in their group`)
})

t.test('the nearest picture is that with the least distance, and not the picture itself', async (t) => {
  const features = [[0], [1], [1.5], [10], [11.9], [10.9]]
  t.equal(nearestOfSameSubject(features, [0, 0, 0, 1, 1, 1]), 1)
  t.equal(nearestOfSameSubject(features, [0, 1, 1, 0, 1, 0]), 4 / 6)
})

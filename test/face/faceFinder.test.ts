import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { decodePixels } from '../../src/data/decodePixels.node.js'
import { bundledFraming } from '../../src/face/align.js'
import { cropFrame, cropped } from '../../src/face/faceFinder.js'
import { openFaceFinder } from '../../src/face/faceModels.node.js'
import { root } from '../cli/program.js'
import { photo } from './photo.js'

const finder = await openFaceFinder()
t.test('faces are found where they are, the largest first', async (t) => {
  const places = [
    { face: 24, side: 110, left: 40, top: 200 },
    { face: 0, side: 200, left: 380, top: 60 },
  ]
  const image = await decodePixels(await photo(places))
  const found = finder.find(image)
  t.equal(found.length, 2)
  for (const [i, { side, left, top }] of [places[1], places[0]].entries()) {
    const { points, confidence, box } = found[i]
    for (const name of ['leftEye', 'rightEye', 'noseBase'] as const) {
      const [x, y] = bundledFraming[name]
      const distance = Math.hypot(points[name][0] - left - x * side, points[name][1] - top - y * side)
      t.ok(distance < 0.1 * side, `${name}: ${distance.toFixed(1)} px of ${side}`)
    }
    t.ok(confidence > 0.5 && confidence <= 1)
    const [x, y] = [box.x + box.width / 2 - left, box.y + box.height / 2 - top]
    t.ok(Math.abs(x - side / 2) < 0.2 * side && Math.abs(y - side / 2) < 0.25 * side, 'the box lies on it')
  }
})

t.test('an aligned crop of a bundled face is that face', async (t) => {
  const [side, left, top] = [192, 200, 100]
  const image = await decodePixels(await photo([{ face: 0, side, left, top }]))
  const [face] = finder.find(image)
  const { a, b, e, f } = cropFrame(image, face, 'aligned')
  t.ok(Math.abs(Math.hypot(a, b) / side - 1) < 0.15, `size ${Math.hypot(a, b)} of ${side}`)
  t.ok(Math.hypot(e - left, f - top) < 0.15 * side, `corner at ${e}, ${f}`)
  t.equal(cropped(image, cropFrame(image, face, 'aligned'), 64).length, 3 * 64 * 64)
})

t.test('the found crop is the box, five per cent wider on each side', async (t) => {
  const image = await decodePixels(await photo([{ face: 0, side: 192, left: 200, top: 100 }]))
  const [face] = finder.find(image)
  const { x, y, width, height } = face.box
  t.same(cropFrame(image, face, 'found'), {
    a: 1.1 * width,
    b: 0,
    c: 0,
    d: 1.1 * height,
    e: x - 0.05 * width,
    f: y - 0.05 * height,
  })
})

t.test('there is no face in stripes', async (t) => {
  const data = Uint8Array.from({ length: 3 * 200 * 100 }, (_, i) => (i * 7) % 256)
  t.same(finder.find({ width: 200, height: 100, channels: 3, data }), [])
})

const london = join(root, '..', 'shared', 'data', 'london')
const skip = existsSync(london)
  ? false
  : `no photographs: ${join('..', 'shared', 'data', 'london')} is not there`

t.test('one face in each photograph', { skip }, async (t) => {
  const photos = (await readdir(london))
    .filter((name) => name.endsWith('.jpg'))
    .filter((_, i) => i % 20 === 0)
  for (const name of photos)
    t.equal(finder.find(await decodePixels(await readFile(join(london, name)))).length, 1, name)
})

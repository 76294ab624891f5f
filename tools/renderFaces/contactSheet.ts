/** The contact sheet: a wall of people, then one person per row, at rest and with each action unit in full. */
import sharp from 'sharp'
import { PhiloxStream } from '../../src/engine/random.js'
import { streams } from './draws.js'
import type { FaceModel } from './faceModel.js'
import { expose, type FaceSet } from './faceSet.js'
import type { RenderOptions } from './options.js'
import type { Picture } from './pictures.js'
import type { FaceRenderer } from './renderer.js'

const wall = { columns: 13, rows: 8 }
const demonstrated = 3
const captionHeight = 12

/** Dot-matrix letters, 3×5, one octal digit a row: all that captions need. */
const glyphs: Readonly<Record<string, string>> = {
  ...{ A: '25755', U: '55557', R: '65655', E: '74647', S: '34216', T: '72222', ' ': '00000' },
  ...{
    0: '75557',
    1: '26227',
    2: '71747',
    3: '71717',
    4: '55711',
    5: '74717',
    6: '74757',
    7: '71111',
    8: '75757',
  },
  9: '75717',
}

type Canvas = { readonly pixels: Uint8ClampedArray; readonly width: number }

function paste(canvas: Canvas, picture: Uint8ClampedArray, size: number, left: number, top: number): void {
  for (let y = 0; y < size; y++)
    canvas.pixels.set(
      picture.subarray(3 * y * size, 3 * (y + 1) * size),
      3 * ((top + y) * canvas.width + left),
    )
}

/** Writes dark letters, 2×2 pixels a dot. */
function write(canvas: Canvas, text: string, left: number, top: number): void {
  for (const [i, letter] of [...text].entries())
    for (const [row, bits] of [...glyphs[letter]].entries())
      for (let column = 0; column < 3; column++) {
        if (!(Number(bits) & (4 >> column))) continue
        for (const [dx, dy] of [
          [0, 0],
          [0, 1],
          [1, 0],
          [1, 1],
        ]) {
          const at = 3 * ((top + 2 * row + dy) * canvas.width + left + 8 * i + 2 * column + dx)
          canvas.pixels.fill(20, at, at + 3)
        }
      }
}

/** The same picture with one unit at full strength (null: at rest), the head straight. */
function demonstrate(model: FaceModel, picture: Picture, au: number | null): Picture {
  const weights = new Float32Array(model.expressions.length)
  weights[model.expressions.indexOf('mouthClose')] = picture.person.mouthClose
  const shapes = au === null ? {} : model.facs.aus[String(au)].weights
  for (const [shape, weight] of Object.entries(shapes)) weights[model.expressions.indexOf(shape)] += weight
  return { ...picture, weights, pose: { yaw: 0, pitch: 0, roll: 0 } }
}

/** Writes a palette PNG of the whole sheet. */
export async function writeContactSheet(
  file: string,
  renderer: FaceRenderer,
  model: FaceModel,
  faces: FaceSet,
  { size, seed }: RenderOptions,
): Promise<void> {
  const columns = Math.max(wall.columns, faces.set.aus.length + 1)
  const onePerPerson = [...new Map(faces.plans.map((plan) => [plan.picture.person, plan])).values()].sort(
    (a, b) => a.number - b.number,
  )
  const people = onePerPerson.slice(0, columns * wall.rows)
  const shown = onePerPerson.slice(0, demonstrated)
  const units = [null, ...faces.set.aus]
  const demonstrations = shown.flatMap(({ picture }) => units.map((au) => demonstrate(model, picture, au)))
  const wallRows = Math.ceil(people.length / columns)
  const width = columns * size
  const height = (wallRows + shown.length) * size + captionHeight
  const canvas = { pixels: new Uint8ClampedArray(3 * width * height).fill(255), width }
  const top = wallRows * size + captionHeight
  const places = [
    ...people.map(({ picture }, i) => ({
      picture,
      left: (i % columns) * size,
      top: Math.floor(i / columns) * size,
    })),
    ...demonstrations.map((picture, i) => ({
      picture,
      left: (i % units.length) * size,
      top: top + Math.floor(i / units.length) * size,
    })),
  ]
  const noise = new PhiloxStream(seed, streams.noise, 2 ** 40)
  for (let first = 0; first < places.length; first += renderer.batch) {
    const batch = places.slice(first, first + renderer.batch)
    const greys = await renderer.render(batch.map((place) => place.picture))
    batch.forEach(({ picture, left, top }, i) => {
      const grey = greys.subarray(3 * i * size ** 2, 3 * (i + 1) * size ** 2)
      paste(canvas, expose(grey, picture.noise, noise), size, left, top)
    })
  }
  units.forEach((au, i) => {
    write(canvas, au === null ? 'REST' : `AU ${au}`, i * size + 6, wallRows * size + 1)
  })
  await sharp(canvas.pixels, { raw: { width, height, channels: 3 } })
    .png({ palette: true, colours: 256, effort: 10, compressionLevel: 9 })
    .toFile(file)
}

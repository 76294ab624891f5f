/** The plan of a set and its rendering: who is in it, which fold they belong to, and every sample in order. */
import sharp from 'sharp'
import { PhiloxStream } from '../../src/engine/random.js'
import { firstExtra, streams } from './draws.js'
import type { FaceModel } from './faceModel.js'
import type { RenderOptions } from './options.js'
import { drawPerson, type Person } from './people.js'
import { drawPicture, type Picture, type UnitSet } from './pictures.js'
import type { FaceRenderer } from './renderer.js'
import type { Sample } from './shards.js'

/** One picture to make. `number` keys its random streams, `key` names its members in the shards. */
export interface Plan {
  readonly split: string
  readonly key: string
  readonly number: number
  readonly picture: Picture
}

export interface FaceSet {
  readonly set: UnitSet
  readonly folds: readonly { readonly name: string; readonly subjects: readonly string[] }[]
  readonly plans: readonly Plan[]
}

const foldCount = 3

function label(letter: string, number: number, count: number): string {
  return letter + String(number + 1).padStart(Math.max(letter === 'S' ? 3 : 4, String(count).length), '0')
}

/** Shuffled people, dealt out: every fold has as many people as any other, give or take one. */
function deal(people: readonly Person[], seed: number): Person[][] {
  const shuffled = new PhiloxStream(seed, streams.folds).shuffle([...people])
  const folds = Array.from({ length: foldCount }, (_, f) => shuffled.filter((_, i) => i % foldCount === f))
  return folds.map((fold) => fold.sort((a, b) => (a.name < b.name ? -1 : 1)))
}

/** Draws all people and pictures; pictures of a fold come in random order, so that any run of them is mixed. */
export function planFaceSet(model: FaceModel, options: RenderOptions): FaceSet {
  const { seed, people, perPerson, extraPeople, correlation } = options
  const set: UnitSet = { name: options.aus, aus: model.facs.sets[options.aus] }
  const person = (number: number, name: string) =>
    drawPerson(model, seed, number, name, set.aus.length, correlation)
  const labelled = Array.from({ length: people }, (_, i) => person(i, label('S', i, people)))
  const extra = Array.from({ length: extraPeople }, (_, i) =>
    person(firstExtra + i, label('E', i, extraPeople)),
  )
  const numbers = new Map(labelled.map((p, i) => [p, i * perPerson]))
  const folds = deal(labelled, seed).map((fold, f) => ({ name: `fold${f + 1}`, people: fold }))
  const jobs = [
    ...folds.flatMap(({ name, people }, f) => {
      const all = people.flatMap((p) =>
        Array.from({ length: perPerson }, (_, i) => ({
          split: name,
          person: p,
          number: numbers.get(p)! + i,
        })),
      )
      return new PhiloxStream(seed, streams.folds, f + 1).shuffle(all)
    }),
    ...extra.map((p, i) => ({ split: 'extra', person: p, number: firstExtra * 1000 + i })),
  ]
  const plans = jobs.map(({ split, person, number }, i) => {
    const picture = drawPicture(model, seed, person, set, number)
    return { split, key: String(i).padStart(6, '0'), number, picture }
  })
  return {
    set,
    folds: folds.map(({ name, people }) => ({ name, subjects: people.map((p) => p.name) })),
    plans,
  }
}

/** The JSON beside a picture. */
export function labelOf(set: UnitSet, picture: Picture): string {
  const round = (x: number) => Number(x.toFixed(3))
  const { yaw, pitch, roll } = picture.pose
  return JSON.stringify({
    subject: picture.person.name,
    AUs: set.aus.filter((_, unit) => picture.present[unit]),
    intensities: Object.fromEntries(set.aus.map((au, unit) => [au, round(picture.intensities[unit])])),
    pose: { yaw: round(yaw), pitch: round(pitch), roll: round(roll) },
  })
}

/** Rounds a developed picture to bytes, with the camera's noise on top. */
export function expose(grey: Float32Array, deviation: number, random: PhiloxStream): Uint8ClampedArray {
  return Uint8ClampedArray.from(grey, (value) => value + deviation * random.normal())
}

export function jpeg(pixels: Uint8ClampedArray, size: number, quality: number): Promise<Buffer> {
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .jpeg({ quality, chromaSubsampling: '4:2:0', mozjpeg: true })
    .toBuffer()
}

/**
 * Renders the plans a batch at a time, a person's pictures together (so that few people have to be blended), and
 * compresses one batch while the next is drawn. Returns the samples in the order of the plans.
 */
export async function renderSamples(
  renderer: FaceRenderer,
  faces: FaceSet,
  options: Pick<RenderOptions, 'seed' | 'size' | 'quality'>,
  progress: (done: number) => void,
): Promise<Sample[]> {
  const floats = 3 * options.size ** 2
  const samples: Sample[] = []
  const byPerson = faces.plans
    .map((plan, index) => ({ plan, index }))
    .sort((a, b) => a.plan.number - b.plan.number)
  let compressing: Promise<unknown> = Promise.resolve()
  for (let first = 0; first < byPerson.length; first += renderer.batch) {
    const batch = byPerson.slice(first, first + renderer.batch)
    const greys = await renderer.render(batch.map(({ plan }) => plan.picture))
    await compressing
    compressing = Promise.all(
      batch.map(async ({ plan, index }, i) => {
        const noise = new PhiloxStream(options.seed, streams.noise, plan.number)
        const pixels = expose(greys.subarray(i * floats, (i + 1) * floats), plan.picture.noise, noise)
        const bytes = await jpeg(pixels, options.size, options.quality)
        samples[index] = { key: plan.key, jpeg: bytes, label: labelOf(faces.set, plan.picture) }
      }),
    )
    progress(Math.min(byPerson.length, first + renderer.batch))
  }
  await compressing
  return samples
}

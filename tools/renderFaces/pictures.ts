/**
 * Pictures: what one photograph of a person shows. A picture is a pure function of (seed, person, number).
 */
import { PhiloxStream } from '../../src/engine/random.js'
import { between, clippedNormal, pick, streams } from './draws.js'
import type { FaceModel } from './faceModel.js'
import { type Colour, linear, mix, type Person } from './people.js'

export interface Picture {
  readonly person: Person
  /** Intensity 0…1 of each action unit, in the set's order; of the stronger side where sides differ. */
  readonly intensities: readonly number[]
  readonly present: readonly boolean[]
  /** One weight per expression shape. */
  readonly weights: Float32Array
  /** Degrees: yaw + to the person's left, pitch + down, roll + towards the person's right shoulder. */
  readonly pose: { readonly yaw: number; readonly pitch: number; readonly roll: number }
  readonly camera: Camera
  readonly light: Light
  readonly background: Background
  /** Standard deviation of the camera noise, in grey levels of 255. */
  readonly noise: number
}

/** Lengths in cm: centre and half width of the picture at the face, distance from the head's origin. */
export interface Camera {
  readonly centre: readonly [number, number]
  readonly halfWidth: number
  readonly distance: number
}

/** Directions point towards the light, in the camera's frame. */
export interface Light {
  readonly direction: readonly [number, number, number]
  readonly key: Colour
  readonly sky: Colour
  readonly ground: Colour
}

/** Two colours on either side of a soft line through the picture (unit: half its width). */
export interface Background {
  readonly colours: readonly [Colour, Colour]
  readonly angle: number
  readonly offset: number
  readonly softness: number
}

/** An action unit set, ready to draw from. */
export interface UnitSet {
  readonly name: 'bp4d' | 'disfa'
  readonly aus: readonly number[]
}

/** AUs that part the lips by themselves: they take the `lips_closed` weights where AU 25 is labelled absent. */
const partsLips = [9, 26]
/** Pairs that add up to more lift than a face can make; the sum of their intensities is held to this. */
const liftLimit = 1.3
const liftPairs = [
  [6, 7],
  [9, 10],
]

/** Present units: biased coins of the person's rates, then one of each pair that must not meet is dropped. */
function drawPresence(
  model: FaceModel,
  random: PhiloxStream,
  set: UnitSet,
  rates: readonly number[],
): boolean[] {
  const present = rates.map((rate) => random.uniform() < rate)
  for (const pair of model.facs.rules.avoid_together) {
    const [a, b] = pair.map((au) => set.aus.indexOf(au))
    const dropped = random.uniform() < 0.5 ? a : b
    if (present[a] && present[b]) present[dropped] = false
  }
  return present
}

/** The pilot's tight set: U(0.5, 1) if present; if absent 0 in 70 of 100 cases, else U(0, 0.12). */
function drawIntensities(random: PhiloxStream, set: UnitSet, present: readonly boolean[]): number[] {
  const s = present.map((is) => {
    const strong = between(random, 0.5, 1)
    const trace = random.uniform() < 0.7 ? 0 : between(random, 0, 0.12)
    return is ? strong : trace
  })
  for (const pair of liftPairs) {
    const [a, b] = pair.map((au) => set.aus.indexOf(au))
    const sum = (s[a] ?? 0) + (s[b] ?? 0)
    if (sum <= liftLimit || !present[a] || !present[b]) continue
    for (const unit of [a, b]) s[unit] *= liftLimit / sum
  }
  return s
}

/** Weights of the expression shapes: rest, units, gaze and now and then a blink. */
function drawWeights(
  model: FaceModel,
  random: PhiloxStream,
  set: UnitSet,
  person: Person,
  picture: Pick<Picture, 'present' | 'intensities'>,
): Float32Array {
  const weights = new Float32Array(model.expressions.length)
  const add = (shape: string, weight: number) => {
    weights[model.expressions.indexOf(shape)] += weight
  }
  add('mouthClose', person.mouthClose)
  const lopsided = random.uniform() < 0.25
  const lipsParted = picture.present[set.aus.indexOf(25)] ?? true
  set.aus.forEach((au, unit) => {
    const entry = model.facs.aus[String(au)]
    const closed = partsLips.includes(au) && !lipsParted
    const weakSide = random.uniform() < 0.5 ? '_L' : '_R'
    const weakness = lopsided ? between(random, 0.4, 0.9) : 1
    for (const [shape, weight] of Object.entries(
      closed ? (entry.lips_closed ?? entry.weights) : entry.weights,
    ))
      add(shape, picture.intensities[unit] * weight * (shape.endsWith(weakSide) ? weakness : 1))
  })
  addGaze(random, add)
  if (random.uniform() < 0.02) {
    const shut = between(random, 0.6, 1)
    add('eyeBlink_L', shut * person.blink[0])
    add('eyeBlink_R', shut * person.blink[1])
  }
  return weights
}

function addGaze(random: PhiloxStream, add: (shape: string, weight: number) => void): void {
  const side = clippedNormal(random, 0.12, 0.35)
  const up = clippedNormal(random, 0.1, 0.3)
  const [left, right] = side > 0 ? ['eyeLookOut_L', 'eyeLookIn_R'] : ['eyeLookIn_L', 'eyeLookOut_R']
  for (const shape of [left, right]) add(shape, Math.abs(side))
  for (const eye of ['L', 'R']) add(`${up > 0 ? 'eyeLookUp' : 'eyeLookDown'}_${eye}`, Math.abs(up))
}

const lamps = [0xfff4e6, 0xffe9d0, 0xffffff, 0xeef3ff, 0xe2ecff].map(linear)
const walls = [
  ...[0x8a94a0, 0xb9bcc0, 0x5f6b78, 0xd8d2c8, 0x7d6a58, 0x9aa892, 0x4a5568, 0xc7b299, 0x6d7f8f, 0xe4e6ea],
  ...[0x525a4c, 0xa58d7f, 0x3e4650, 0x8c7b9a, 0x6f9096, 0xb5806a],
].map(linear)

const dim = (colour: Colour, factor: number) => mix([0, 0, 0], colour, factor)

function drawLight(random: PhiloxStream): Light {
  const azimuth = between(random, -1.1, 1.1)
  const height = between(random, -0.1, 0.95)
  const ambient = between(random, 0.25, 0.5)
  const key = between(random, 0.5, 0.85)
  const lamp = pick(random, lamps)
  const sky = pick(random, lamps)
  return {
    direction: [Math.sin(azimuth) * Math.cos(height), Math.sin(height), Math.cos(azimuth) * Math.cos(height)],
    key: dim(lamp, key),
    sky: dim(sky, ambient),
    ground: dim(mix(sky, linear(0x9a7f6a), 0.4), ambient * between(random, 0.45, 0.8)),
  }
}

function drawBackground(random: PhiloxStream): Background {
  const shade = () => dim(pick(random, walls), between(random, 0.6, 1.1))
  return {
    colours: [shade(), shade()],
    angle: between(random, 0, 2 * Math.PI),
    offset: between(random, -0.6, 0.6),
    softness: between(random, 0.05, 0.8),
  }
}

/** Picture `number` of a person. */
export function drawPicture(
  model: FaceModel,
  seed: number,
  person: Person,
  set: UnitSet,
  pictureNumber: number,
): Picture {
  const random = new PhiloxStream(seed, streams.picture, pictureNumber)
  const present = drawPresence(model, random, set, person.rates)
  const intensities = drawIntensities(random, set, present)
  const weights = drawWeights(model, random, set, person, { present, intensities })
  const tight = 0.6
  return {
    person,
    present,
    intensities,
    weights,
    pose: {
      yaw: clippedNormal(random, 7 * tight, 15 * tight),
      pitch: clippedNormal(random, 5 * tight, 12 * tight),
      roll: clippedNormal(random, 3 * tight, 8 * tight),
    },
    camera: {
      centre: [between(random, -0.25, 0.25), person.frame.y + between(random, -0.25, 0.25)],
      halfWidth: person.frame.halfWidth * between(random, 0.95, 1.05),
      distance: between(random, 60, 70),
    },
    light: drawLight(random),
    background: drawBackground(random),
    noise: between(random, 0.6, 3),
  }
}

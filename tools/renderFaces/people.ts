/**
 * People: shape, colours and habits. A person is a pure function of (seed, number).
 */
import { PhiloxStream } from '../../src/engine/random.js'
import { beta, between, clippedNormal, pick, streams } from './draws.js'
import type { FaceModel } from './faceModel.js'

/** Linear-light RGB in 0…1. */
export type Colour = readonly [number, number, number]

export interface Person {
  /** `S017` (labelled) or `E0017` (extra). */
  readonly name: string
  /** One weight per identity mode, N(0, 1). */
  readonly modes: Float32Array
  /** Constant weight of mouthClose that shuts this person's lips at rest (facs.json, rule lips_together). */
  readonly mouthClose: number
  /** Weights of eyeBlink_L and eyeBlink_R that shut this person's eyes (facs.json, rule blink). */
  readonly blink: readonly [number, number]
  /** How often each action unit of the set is present: the identity shortcut. */
  readonly rates: readonly number[]
  /** Middle and half width (cm) of a picture aligned to this person's brows and mouth, as detectors do. */
  readonly frame: { readonly y: number; readonly halfWidth: number }
  readonly look: Look
}

/** Paint. Lengths in cm on the mean face, strengths in 0…1. */
export interface Look {
  readonly skin: Colour
  readonly lips: Colour
  readonly hair: Colour
  readonly brow: Colour
  readonly iris: Colour
  readonly gloss: number
  readonly browHalfWidth: number
  readonly browDensity: number
  readonly browTaper: number
  readonly irisRadius: number
  readonly lidLine: number
  readonly hairline: number
  readonly hairDensity: number
  readonly beard: number
  readonly blush: number
  readonly mottling: number
  readonly textureOffset: Colour
}

/** Linear light from an sRGB hex number. */
export function linear(hex: number): Colour {
  return [16, 8, 0].map((shift) => {
    const s = ((hex >> shift) & 255) / 255
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4
  }) as unknown as Colour
}

export function mix(a: Colour, b: Colour, t: number): Colour {
  return [0, 1, 2].map((i) => a[i] + (b[i] - a[i]) * t) as unknown as Colour
}

// Light to dark; drawn uniformly along the ramp, so that every range of tones has the same share.
const skinRamp = [
  0xf4d9c8, 0xecc4a8, 0xdfae8a, 0xcc9670, 0xb37c56, 0x946041, 0x75482f, 0x5a3623, 0x4b2e20,
].map(linear)
const darkHair = [0x14100e, 0x1c1512, 0x2a1d16, 0x35241a].map(linear)
const lightHair = [0x4a3120, 0x6b4a2e, 0x8a6a45, 0x7a3f22, 0x77716c, 0x2a1d16].map(linear)
const darkEyes = [0x2a1a10, 0x3a2414, 0x4a2f1a].map(linear)
const lightEyes = [0x5b7f9e, 0x6f8fa8, 0x5d7a52, 0x6d6a3c, 0x7b8088, 0x4a2f1a].map(linear)

function drawLook(random: PhiloxStream): Look {
  const depth = random.uniform()
  const position = depth * (skinRamp.length - 1.001)
  const base = mix(skinRamp[Math.floor(position)], skinRamp[Math.floor(position) + 1], position % 1)
  // Undertone: warmer or pinker, a few per cent per channel.
  const warmth = clippedNormal(random, 0.06, 0.1)
  const pinkness = clippedNormal(random, 0.025, 0.04)
  const skin: Colour = [base[0] * (1 + pinkness), base[1] * (1 - pinkness), base[2] * (1 - warmth)]
  const fair = random.uniform() > depth * 1.8
  const hair = pick(random, fair ? lightHair : darkHair)
  const rosy = between(random, 0.25, 0.75)
  const lipTint = mix(linear(0xb4524f), linear(0x5c2a28), depth)
  const bearded = random.uniform() < 0.3
  return {
    skin,
    lips: mix(skin, lipTint, rosy),
    hair,
    brow: mix(hair, linear(0x14100e), between(random, 0.1, 0.6)),
    iris: pick(random, fair ? lightEyes : darkEyes),
    gloss: between(random, 0.03, 0.16),
    browHalfWidth: between(random, 0.22, 0.5),
    browDensity: between(random, 0.6, 0.95),
    browTaper: between(random, 0.2, 0.75),
    irisRadius: between(random, 0.56, 0.64),
    lidLine: between(random, 0.25, 0.7),
    hairline: between(random, 7.6, 9.5),
    hairDensity: random.uniform() < 0.25 ? 0 : between(random, 0.4, 0.9),
    beard: bearded ? between(random, 0.15, 0.6) : 0,
    blush: between(random, 0, 0.25),
    mottling: between(random, 0.02, 0.07),
    textureOffset: [between(random, 0, 50), between(random, 0, 50), between(random, 0, 50)],
  }
}

/** y of a landmark on this person's face at rest: neutral + Σ a[k]·scale[k]·mode[k]. */
function landmarkY(model: FaceModel, modes: Float32Array, landmark: number): number {
  const at = 3 * model.landmarks[landmark] + 1
  const stride = 3 * model.vertexCount
  return modes.reduce(
    (y, a, k) => y + a * model.identityScale[k] * model.identity[k * stride + at],
    model.neutral[at],
  )
}

/** Half the picture's width on the mean face. */
const meanHalfWidth = 6.9
const browLandmarks = [17, 18, 19, 20, 21, 22, 23, 24, 25, 26]
const mouthLandmarks = [48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59]

function restFrame(model: FaceModel, modes: Float32Array): Person['frame'] {
  const meanY = (weights: Float32Array, landmarks: readonly number[]) =>
    landmarks.reduce((y, landmark) => y + landmarkY(model, weights, landmark) / landmarks.length, 0)
  const heights = (weights: Float32Array) => [meanY(weights, browLandmarks), meanY(weights, mouthLandmarks)]
  const [brows, mouth] = heights(modes)
  const [meanBrows, meanMouth] = heights(new Float32Array(modes.length))
  const scale = (brows - mouth) / (meanBrows - meanMouth)
  // Raised brows stay in the picture; the tip of the chin may leave it.
  return { y: (brows + mouth) / 2 - 0.3 * scale, halfWidth: meanHalfWidth * scale }
}

function restRules(model: FaceModel, modes: Float32Array): Pick<Person, 'mouthClose' | 'blink'> {
  const y = (landmark: number) => landmarkY(model, modes, landmark)
  const lipGap = y(62) - y(66)
  const shut = (up: readonly [number, number], down: readonly [number, number]) =>
    (y(up[0]) + y(up[1]) - y(down[0]) - y(down[1])) / 2 / 0.789 + 0.04
  return {
    mouthClose: Math.max(0, lipGap + 0.07) / 3.89,
    blink: [shut([43, 44], [46, 47]), shut([37, 38], [40, 41])],
  }
}

/** Mean presence of an action unit over people. */
export const meanRate = 0.3

/**
 * Person `number` of a seed. `concentration` c: rates ~ Beta(0.3c, 0.7c), small c = strong habits; null: 0.3 for
 * everyone and every unit.
 */
export function drawPerson(
  model: FaceModel,
  seed: number,
  number: number,
  name: string,
  auCount: number,
  concentration: number | null,
): Person {
  const random = new PhiloxStream(seed, streams.look, number)
  const modes = Float32Array.from(model.identityScale, () => random.normal())
  const look = drawLook(random)
  const habits = new PhiloxStream(seed, streams.rates, number)
  const rates = Array.from({ length: auCount }, () =>
    concentration === null
      ? meanRate
      : beta(habits, meanRate * concentration, (1 - meanRate) * concentration),
  )
  return { name, modes, rates, look, frame: restFrame(model, modes), ...restRules(model, modes) }
}

import { type Config, type FaceResult, Human } from '@vladmandic/human'
import { expose, transfer } from 'comlink'
import { apply, type FacePoints, faceFrame, frameCorners, inverse, middle, type Point } from './align.js'
import { facePixels } from './squarePixels.js'

/** A face of an image, cropped and upright. Places are in pixels of the image. */
export interface FoundFace {
  /** Corners of the square that was cut out, clockwise from the top left of the upright face. */
  readonly corners: readonly Point[]
  readonly points: FacePoints
  /** How far the head leans to the right of the image, radians. */
  readonly rotation: number
  /** RGB bytes, side·side·3. */
  readonly crop: Uint8Array
  /** How many faces there are; this is the largest. */
  readonly faces: number
}

/** The detector sees this much of the image at most; landmarks come in whole pixels of it. */
const VIEW = 768
/** It wants air around a face: an image that is all face is shown to it smaller. */
const FILL = 0.75

/** Indices into the face mesh (MediaPipe's numbering). */
const MESH = { leftEye: [33, 133], rightEye: [362, 263], noseBase: [2] } as const

let human: Promise<Human> | null = null

const finder = {
  /**
   * The largest face of an image, which is used up; null if there is none. `side`: of the crop, in pixels.
   */
  async find(image: ImageBitmap, side: number): Promise<FoundFace | null> {
    try {
      human ??= load()
      const found = await detect(await human, image)
      return found && cutOut(image, found, side)
    } catch (error) {
      throw new Error(`Face detection failed: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      image.close()
    }
  },
}

export type Finder = typeof finder

/**
 * Models lie beside the page; nothing comes from anywhere else. WebGL where there is one, else plain
 * JavaScript.
 */
async function load(): Promise<Human> {
  const off = { enabled: false }
  const config: Partial<Config> = {
    backend: new OffscreenCanvas(1, 1).getContext('webgl2') ? 'webgl' : 'cpu',
    modelBasePath: new URL('faceModels/', self.location.href).href,
    cacheModels: false,
    validateModels: false,
    warmup: 'none',
    // Every image is another one: nothing of the last is kept.
    cacheSensitivity: 0,
    filter: off,
    gesture: off,
    face: {
      enabled: true,
      detector: { rotation: true, maxDetected: 8, minConfidence: 0.3, skipFrames: 0, skipTime: 0 },
      mesh: { enabled: true },
      iris: off,
      attention: off,
      description: off,
      emotion: off,
      antispoof: off,
      liveness: off,
    },
    body: off,
    hand: off,
    object: off,
    segmentation: off,
  }
  const made = new Human(config)
  await made.load()
  // A model that could not be fetched is only logged: without it there would be no faces in any image.
  const bytes = new Map(made.models.list().map(({ name, size }) => [name, size]))
  const missing = ['blazeface', 'facemesh'].filter((name) => !bytes.get(name))
  if (missing.length > 0) throw new Error(`the model ${missing.join(' and ')} cannot be loaded. Try again.`)
  return made
}

interface Detected {
  readonly points: FacePoints
  readonly faces: number
}

async function detect(human: Human, image: ImageBitmap): Promise<Detected | null> {
  const scale = (VIEW * FILL) / Math.max(image.width, image.height)
  const [left, top] = [(VIEW - scale * image.width) / 2, (VIEW - scale * image.height) / 2]
  const context = new OffscreenCanvas(VIEW, VIEW).getContext('2d', { willReadFrequently: true })!
  context.fillStyle = '#808080'
  context.fillRect(0, 0, VIEW, VIEW)
  context.imageSmoothingQuality = 'high'
  context.drawImage(image, left, top, scale * image.width, scale * image.height)
  const { face, error } = await human.detect(context.canvas)
  if (error) throw new Error(error)
  const whole = face.filter(({ mesh }) => mesh.length > MESH.rightEye[0])
  if (whole.length === 0) return null
  const largest = whole.reduce((a, b) => (b.size[0] > a.size[0] ? b : a))
  const place = { a: scale, b: 0, e: left, f: top }
  return { points: pointsOf(largest, (point) => apply(inverse(place), point)), faces: whole.length }
}

function pointsOf({ mesh }: FaceResult, toImage: (point: Point) => Point): FacePoints {
  const at = (indices: readonly number[]) =>
    toImage(middle(indices.map((index): Point => [mesh[index][0], mesh[index][1]])))
  return { leftEye: at(MESH.leftEye), rightEye: at(MESH.rightEye), noseBase: at(MESH.noseBase) }
}

function cutOut(image: ImageBitmap, { points, faces }: Detected, side: number): FoundFace {
  const frame = faceFrame(points)
  const crop = facePixels(image, frame, side)
  const found = { corners: frameCorners(frame), points, rotation: Math.atan2(frame.b, frame.a), crop, faces }
  return transfer(found, [crop.buffer])
}

expose(finder)

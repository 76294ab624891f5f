import type { Point } from './align.js'
import { type Box, overlap } from './box.js'
import type { FeatureMap } from './featureMap.js'
import type { GraphModel } from './graphModel.js'
import { type Pixels, sample } from './sample.js'

/** A face as the detector sees it, in pixels of the image. */
export interface Detection {
  readonly box: Box
  /** From 0 to 1. */
  readonly confidence: number
  /** Of the eye on the left of the image, and of the one on its right. */
  readonly eyes: readonly [Point, Point]
}

/** Side of the detector's input. */
const SIDE = 256
/** Of each grid of anchors: its pixels' size in the input, and the anchors in each pixel. */
const GRIDS = [
  { scores: 'Identity', places: 'Identity_2', size: 16, anchors: 2 },
  { scores: 'Identity_1', places: 'Identity_3', size: 32, anchors: 6 },
] as const
/** Numbers of an anchor: center, size, and six points, of which the first two are the eyes. */
const NUMBERS = 16
const LEAST_CONFIDENCE = 0.5
/** Detections that overlap by more than this (intersection over union) are one face. */
const SAME_FACE = 0.3
/** The detector wants air around a face: it gets the image on a larger gray square. */
const FILL = 0.75

/**
 * The faces of an image, the largest first. BlazeFace (Bazarevsky et al. 2019, the back-camera model, 256 px): each
 * anchor gives a score and a box; the boxes of one face are averaged by their scores.
 */
export function detectFaces(model: GraphModel, image: Pixels): Detection[] {
  const side = Math.max(image.width, image.height) / FILL
  const [left, top] = [(image.width - side) / 2, (image.height - side) / 2]
  const view = sample(image, { a: side, b: 0, c: 0, d: side, e: left, f: top }, SIDE, SIDE, 'gray')
  const input = { height: SIDE, width: SIDE, channels: 3, data: view.map((value) => value / 127.5 - 1) }
  const outputs = model.run(
    input,
    GRIDS.flatMap(({ scores, places }) => [scores, places]),
  )
  const toImage = ([x, y]: Point): Point => [left + x * side, top + y * side]
  const found = GRIDS.flatMap((grid, i) => anchorsOf(grid, outputs[2 * i], outputs[2 * i + 1]))
  return merged(found)
    .map(({ score, numbers }) => {
      const [x, y] = toImage([numbers[0] - numbers[2] / 2, numbers[1] - numbers[3] / 2])
      const box = { x, y, width: numbers[2] * side, height: numbers[3] * side }
      const eye = (at: number) => toImage([numbers[at], numbers[at + 1]])
      return { box, confidence: score, eyes: [eye(4), eye(6)] as const }
    })
    .sort((a, b) => b.box.width * b.box.height - a.box.width * a.box.height)
}

/** What an anchor says; the numbers are shares of the input's side. */
interface Anchored {
  readonly score: number
  readonly numbers: readonly number[]
}

function anchorsOf(
  { size, anchors }: (typeof GRIDS)[number],
  scores: FeatureMap,
  places: FeatureMap,
): Anchored[] {
  const columns = SIDE / size
  const found: Anchored[] = []
  scores.data.forEach((logit, at) => {
    const score = 1 / (1 + Math.exp(-logit))
    if (score < LEAST_CONFIDENCE) return
    const pixel = Math.floor(at / anchors)
    const [x, y] = [((pixel % columns) + 0.5) * size, (Math.floor(pixel / columns) + 0.5) * size]
    const raw = places.data.subarray(at * NUMBERS, (at + 1) * NUMBERS)
    const isSize = (i: number) => i === 2 || i === 3
    const numbers = Array.from(raw, (value, i) => (value + (isSize(i) ? 0 : i % 2 === 0 ? x : y)) / SIDE)
    found.push({ score, numbers })
  })
  return found
}

/** One for each face: the mean of its anchors, weighted by their scores, and the highest score. */
function merged(found: readonly Anchored[]): Anchored[] {
  const faces: Anchored[] = []
  let left = [...found].sort((a, b) => b.score - a.score)
  while (left.length > 0) {
    const [best] = left
    const same = left.filter((other) => overlap(boxOf(best.numbers), boxOf(other.numbers)) > SAME_FACE)
    const total = same.reduce((sum, { score }) => sum + score, 0)
    const numbers = best.numbers.map((_, i) =>
      same.reduce((sum, one) => sum + (one.score * one.numbers[i]) / total, 0),
    )
    faces.push({ score: best.score, numbers })
    left = left.filter((other) => other !== best && !same.includes(other))
  }
  return faces
}

function boxOf([x, y, width, height]: readonly number[]): Box {
  return { x: x - width / 2, y: y - height / 2, width, height }
}

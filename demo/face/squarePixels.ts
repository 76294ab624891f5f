import { withoutAlpha } from '../../src/data/decodeImage.browser.js'
import { inverse, type Similarity } from './align.js'

/** The largest canvas on the way down. */
const LARGEST = 2048

/** Takes image pixels to shares of the square's side: (x, y) → (a·x + c·y + e, b·x + d·y + f). */
type Affine = Pick<DOMMatrix2DInit, 'a' | 'b' | 'c' | 'd' | 'e' | 'f'> & { readonly a: number }

/** The aligned square of a face. → RGB bytes, side·side·3; grey where the square leaves the image. */
export function facePixels(image: ImageBitmap, frame: Similarity, side: number): Uint8Array {
  const { a, b, e, f } = inverse(frame)
  return squarePixels(image, { a, b, c: -b, d: a, e, f }, Math.hypot(frame.a, frame.b), side)
}

/**
 * The whole image squeezed into a square, as the command line does with images of any shape. → RGB bytes,
 * side·side·3.
 */
export function wholePixels(image: ImageBitmap, side: number): Uint8Array {
  const { width, height } = image
  return squarePixels(
    image,
    { a: 1 / width, b: 0, c: 0, d: 1 / height, e: 0, f: 0 },
    Math.max(width, height),
    side,
  )
}

/** `sourceSide`: how many pixels of the image go into the side of the square. */
function squarePixels(image: ImageBitmap, toSquare: Affine, sourceSide: number, side: number): Uint8Array {
  // Canvases look at few pixels when they shrink a lot at once, so the last steps are halvings, which look at
  // all.
  let size = side
  while (size * 2 <= Math.min(sourceSide, LARGEST)) size *= 2
  let context = greyCanvas(size)
  const { a, b, c, d, e, f } = toSquare
  context.setTransform({ a: a * size, b: b! * size, c: c! * size, d: d! * size, e: e! * size, f: f! * size })
  context.drawImage(image, 0, 0)
  while (size > side) {
    size /= 2
    const half = greyCanvas(size)
    half.drawImage(context.canvas, 0, 0, size, size)
    context = half
  }
  return withoutAlpha(context.getImageData(0, 0, side, side).data)
}

function greyCanvas(size: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(size, size).getContext('2d', {
    alpha: false,
    willReadFrequently: true,
  })!
  context.imageSmoothingQuality = 'high'
  context.fillStyle = '#808080'
  context.fillRect(0, 0, size, size)
  return context
}

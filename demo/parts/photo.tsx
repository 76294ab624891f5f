import { useEffect, useRef } from 'preact/hooks'
import type { FoundFace } from '../face/faceFinder.js'

/** The longer side of the drawing, in its own pixels. */
const LONGER = 960

interface Props {
  readonly image: ImageBitmap
  readonly face: FoundFace | null
  /** Shown as in a mirror, as people know themselves from cameras. */
  readonly mirrored: boolean
}

/** The image with the square that is cropped from it and the three points that it is aligned by. */
export function Photo({ image, face, mirrored }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const scale = LONGER / Math.max(image.width, image.height)
  useEffect(() => {
    const context = canvas.current!.getContext('2d')!
    context.setTransform(scale, 0, 0, scale, 0, 0)
    context.imageSmoothingQuality = 'high'
    context.drawImage(image, 0, 0)
    if (face) drawFace(context, face, scale)
  }, [image, face])
  return (
    <canvas
      ref={canvas}
      class={mirrored ? 'photo mirrored' : 'photo'}
      width={Math.round(image.width * scale)}
      height={Math.round(image.height * scale)}
      role="img"
      aria-label={face ? 'Your image with a frame around the detected face' : 'Your image'}
    />
  )
}

/** White on black, so that it shows on any image. */
function drawFace(context: CanvasRenderingContext2D, { corners, points }: FoundFace, scale: number): void {
  const px = 1 / scale
  const frame = new Path2D()
  for (const [x, y] of corners) frame.lineTo(x, y)
  frame.closePath()
  const dots = new Path2D()
  for (const [x, y] of [points.leftEye, points.rightEye, points.noseBase]) {
    dots.moveTo(x + 5 * px, y)
    dots.arc(x, y, 5 * px, 0, 2 * Math.PI)
  }
  context.lineJoin = 'round'
  context.strokeStyle = '#000000'
  context.lineWidth = 8 * px
  context.stroke(frame)
  context.lineWidth = 4 * px
  context.stroke(dots)
  context.strokeStyle = context.fillStyle = '#ffffff'
  context.lineWidth = 3.5 * px
  context.stroke(frame)
  context.fill(dots)
}

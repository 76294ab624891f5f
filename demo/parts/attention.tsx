import { useEffect, useRef } from 'preact/hooks'
import { Pixels } from './pixels.js'

interface Props {
  /** What the model gets: RGB bytes, size·size·3. */
  readonly rgb: Uint8Array
  readonly size: number
  /** A share for every patch, row by row; null without a model. */
  readonly attention: Float32Array | null
}

/** How dark a patch without attention gets. */
const DARKEST = 0.8

/** The cropped face as the model gets it, and the same with a veil over the patches of little attention. */
export function Attention({ rgb, size, attention }: Props) {
  return (
    <div class="attention">
      <figure>
        <Pixels rgb={rgb} size={size} label={`Input of the encoder, ${size} by ${size} pixels`} />
        <figcaption>
          {size} × {size} pixels
        </figcaption>
      </figure>
      {attention && (
        <figure>
          <div class="veiled">
            <Pixels rgb={rgb} size={size} label={describe(attention)} />
            <Veil attention={attention} />
          </div>
          <figcaption>Highest attention of a patch: {percent(Math.max(...attention))}</figcaption>
        </figure>
      )}
    </div>
  )
}

function Veil({ attention }: { readonly attention: Float32Array }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const grid = Math.sqrt(attention.length)
  useEffect(() => {
    const context = canvas.current!.getContext('2d')!
    const image = context.createImageData(grid, grid)
    const largest = Math.max(...attention)
    attention.forEach((share, i) => {
      image.data[4 * i + 3] = Math.round(255 * DARKEST * (1 - share / largest))
    })
    context.putImageData(image, 0, 0)
  }, [attention])
  return <canvas ref={canvas} class="pixels veil" width={grid} height={grid} />
}

function describe(attention: Float32Array): string {
  const grid = Math.sqrt(attention.length)
  const at = attention.indexOf(Math.max(...attention))
  const place = `row ${Math.floor(at / grid) + 1}, column ${(at % grid) + 1} of ${grid} by ${grid} patches`
  return `Attention of the encoder: highest at ${place}, with ${percent(attention[at])}`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`
}

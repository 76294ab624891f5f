import { useEffect, useRef } from 'preact/hooks'

interface Props {
  /** RGB bytes, size·size·3. */
  readonly rgb: Uint8Array
  readonly size: number
  readonly label: string
}

/** One small image. */
export function Pixels({ rgb, size, label }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const context = canvas.current!.getContext('2d')!
    const image = context.createImageData(size, size)
    for (let from = 0, to = 0; from < rgb.length; to += 4) {
      image.data[to] = rgb[from++]
      image.data[to + 1] = rgb[from++]
      image.data[to + 2] = rgb[from++]
      image.data[to + 3] = 255
    }
    context.putImageData(image, 0, 0)
  }, [rgb, size])
  return <canvas ref={canvas} class="pixels" width={size} height={size} role="img" aria-label={label} />
}

import { useEffect, useRef, useState } from 'preact/hooks'
import { FaceFinder, type FoundFace } from '../face/faceFinder.js'
import { wholePixels } from '../face/squarePixels.js'
import { type StudioLink, useStudio } from '../studioLink.js'
import type { Look, ModelSummary } from '../worker/tryIt.js'
import { type Camera, openCamera } from './camera.js'

/** Side of the crop while there is no model: that of the bundled faces. */
const DEFAULT_SIDE = 64
/** Points of the history that are kept. */
const HISTORY = 240

/** A picture and all that was made of it. */
export interface View {
  readonly picture: ImageBitmap
  /** From the camera, so shown as in a mirror. */
  readonly live: boolean
  /** The whole picture was asked for, no face. */
  readonly whole: boolean
  readonly face: FoundFace | null
  readonly crop: { readonly rgb: Uint8Array; readonly size: number } | null
  readonly look: Look | null
}

export interface Moment {
  readonly seconds: number
  readonly probabilities: Float32Array
}

interface Wish {
  readonly picture: ImageBitmap
  readonly whole: boolean
}

/** Finds the face, cuts it out, and gives it to the model: in workers, one after the other. */
async function analyse(
  { studio }: StudioLink,
  finder: FaceFinder,
  wish: Wish,
  model: ModelSummary | null,
  live: boolean,
): Promise<View> {
  const { picture, whole } = wish
  const size = model?.imageSize ?? DEFAULT_SIDE
  const face = whole ? null : await finder.find(picture, size)
  const rgb = whole ? wholePixels(picture, size) : face?.crop
  const look = model && rgb ? await studio.tryIt.look(model.id, rgb) : null
  return { picture, live, whole, face, crop: rgb ? { rgb, size } : null, look }
}

export interface Viewing {
  readonly view: View | null
  readonly busy: boolean
  readonly problem: string | null
  /** Probabilities over time, from the camera. */
  readonly history: readonly Moment[]
  readonly cameraOn: boolean
  readonly showPhoto: (photo: Blob, name: string) => Promise<void>
  /** Cuts the face out, or gives the model the whole picture. */
  readonly frame: (whole: boolean) => void
  readonly startCamera: () => Promise<void>
  readonly stopCamera: () => void
  readonly setProblem: (problem: string | null) => void
}

/** The picture or the camera that is looked at through `model`. */
export function useViewing(model: ModelSummary | null): Viewing {
  const link = useStudio()
  const finder = useRef(new FaceFinder()).current
  const [wish, setWish] = useState<Wish | null>(null)
  const [view, setView] = useState<View | null>(null)
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const [history, setHistory] = useState<readonly Moment[]>([])
  const [camera, setCamera] = useState<Camera | null>(null)
  const key = model && `${model.id} ${model.step} ${model.file}`

  useEffect(() => {
    if (!wish || camera) return
    let current = true
    setBusy(true)
    analyse(link, finder, wish, model, false)
      .then(
        (next) => current && setView(next),
        (error: Error) => current && setProblem(error.message),
      )
      .finally(() => current && setBusy(false))
    return () => {
      current = false
    }
  }, [wish, camera, key])

  useEffect(() => {
    if (!camera) return
    let current = true
    setHistory([])
    const seen = (next: View) => {
      if (!current) return
      setView(next)
      const { look } = next
      if (look)
        setHistory((before) => [
          ...before.slice(1 - HISTORY),
          { seconds: (performance.now() - start) / 1000, probabilities: look.probabilities },
        ])
    }
    const start = performance.now()
    const fail = (error: Error) => {
      if (!current) return
      setProblem(error.message)
      setCamera(null)
    }
    watch(
      camera,
      () => current,
      async (picture) => seen(await analyse(link, finder, { picture, whole: false }, model, true)),
    ).catch(fail)
    return () => {
      current = false
    }
  }, [camera, key])
  useEffect(() => () => camera?.close(), [camera])

  const showPhoto = async (photo: Blob, name: string) => {
    setProblem(null)
    try {
      const picture = await createImageBitmap(photo)
      setCamera(null)
      setHistory([])
      setWish({ picture, whole: false })
    } catch {
      setProblem(`${name} is not a picture that this browser can read.`)
    }
  }
  const startCamera = async () => {
    setProblem(null)
    try {
      setCamera(await openCamera())
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  const frame = (whole: boolean) => view && setWish({ picture: view.picture, whole })
  const stopCamera = () => {
    if (!camera) return
    // The last picture stays in sight.
    if (view) setWish({ picture: view.picture, whole: false })
    setCamera(null)
  }
  return {
    view,
    busy,
    problem,
    history,
    cameraOn: camera !== null,
    showPhoto,
    frame,
    startCamera,
    stopCamera,
    setProblem,
  }
}

/** Hands on picture after picture while `wanted`, never two at a time; rests while the page is hidden. */
async function watch(
  camera: Camera,
  wanted: () => boolean,
  each: (picture: ImageBitmap) => Promise<void>,
): Promise<void> {
  const shown: ImageBitmap[] = []
  while (wanted()) {
    const picture = await camera.frame()
    await each(picture)
    shown.push(picture)
    // The last two may still be drawn.
    if (shown.length > 2) shown.shift()!.close()
    await new Promise(requestAnimationFrame)
  }
}

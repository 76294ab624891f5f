import { useEffect, useRef, useState } from 'preact/hooks'
import { FaceFinder, type FoundFace } from '../face/faceFinder.js'
import type { Look, ModelSummary } from '../worker/tryIt.js'
import { useWorker, type WorkerLink } from '../workerLink.js'
import { type Camera, openCamera } from './camera.js'

/** Side of the crop while there is no model: that of the bundled faces. */
const DEFAULT_SIDE = 64
/** Points of the history that are kept. */
const HISTORY = 240

/** An image and all that was made of it. */
export interface View {
  readonly image: ImageBitmap
  /** The camera is on. */
  readonly live: boolean
  /** From the camera, so shown as in a mirror. */
  readonly mirrored: boolean
  /** The whole image was asked for, no face. */
  readonly whole: boolean
  readonly face: FoundFace | null
  readonly crop: { readonly rgb: Uint8Array; readonly size: number } | null
  /** What the chosen model makes of it. */
  readonly look: Look | null
}

export interface Moment {
  readonly seconds: number
  readonly probabilities: Float32Array
}

/** What a model said, to be shown only while it is the chosen one. */
interface Said<T> {
  /**
   * Tells models apart, but not the steps of one: while it trains, the last word stands until there is a new
   * one.
   */
  readonly by: string
  readonly what: T
}

interface Wish {
  readonly image: ImageBitmap
  readonly whole: boolean
  /** The last that the camera saw. */
  readonly ofCamera: boolean
}

export interface Viewing {
  readonly view: View | null
  readonly busy: boolean
  readonly problem: string | null
  /** Probabilities over time, from the camera. */
  readonly history: readonly Moment[]
  readonly cameraOn: boolean
  readonly showPhoto: (photo: Blob, name: string) => Promise<void>
  /** Cuts the face out, or gives the model the whole image. */
  readonly frame: (whole: boolean) => void
  readonly startCamera: () => Promise<void>
  readonly stopCamera: () => void
  readonly setProblem: (problem: string | null) => void
}

/** The image or the camera that `model` gets. `shown`: whether the visitor sees it. */
export function useViewing(model: ModelSummary | null, shown: () => boolean): Viewing {
  const [wish, setWish] = useState<Wish | null>(null)
  const [camera, setCamera] = useState<Camera | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const { view, history, busy } = useLooking(model, wish, camera, (text) => {
    setProblem(text)
    setCamera(null)
  })
  useEffect(() => () => camera?.close(), [camera])

  const showPhoto = async (photo: Blob, name: string) => {
    setProblem(null)
    try {
      const image = await createImageBitmap(photo)
      setCamera(null)
      setWish({ image, whole: false, ofCamera: false })
    } catch {
      setProblem(`${name} is not an image that this browser can read.`)
    }
  }
  const startCamera = async () => {
    setProblem(null)
    try {
      const opened = await openCamera()
      // The visitor may have gone on before the answer: nobody wants a camera to run on behind another tab.
      if (shown()) setCamera(opened)
      else opened.close()
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  const frame = (whole: boolean) => wish && setWish({ ...wish, whole })
  const stopCamera = () => {
    if (!camera) return
    // The last image stays in sight.
    if (view) setWish({ image: view.image, whole: false, ofCamera: true })
    setCamera(null)
  }
  const commands = { showPhoto, frame, startCamera, stopCamera, setProblem }
  return { view, busy, problem, history, cameraOn: camera !== null, ...commands }
}

/**
 * Looks at the camera while it is on, else at the image that is wished for, and again when the model is
 * another one.
 */
function useLooking(
  model: ModelSummary | null,
  wish: Wish | null,
  camera: Camera | null,
  fail: (text: string) => void,
): Pick<Viewing, 'view' | 'history' | 'busy'> {
  const link = useWorker()
  const finder = useRef(new FaceFinder()).current
  const [view, setView] = useState<Said<View> | null>(null)
  const [history, setHistory] = useState<Said<readonly Moment[]> | null>(null)
  const [busy, setBusy] = useState(false)
  const by = JSON.stringify(model && { ...model, step: 0 })
  // A photo is looked at again when its model has learned; the camera looks all the time, and its curve goes
  // on.
  const step = camera ? null : model?.step

  useEffect(() => {
    if (!wish && !camera) return
    let current = true
    const start = performance.now()
    const see = (what: View) => {
      if (!current) return
      setView({ by, what })
      const { live, look } = what
      if (!live || !look) return
      const moment = { seconds: (performance.now() - start) / 1000, probabilities: look.probabilities }
      setHistory((before) => ({ by, what: [...(before?.what ?? []).slice(1 - HISTORY), moment] }))
    }
    const live = camera !== null
    const look = async (next: Wish) => see({ ...(await analyse(link, finder, next, model)), live })
    if (live || !wish!.ofCamera) setHistory(null)
    setBusy(!live)
    const looking = camera
      ? watch(
          camera,
          () => current,
          (image) => look({ image, whole: false, ofCamera: true }),
        )
      : look(wish!)
    looking.catch((error: Error) => current && fail(error.message)).finally(() => current && setBusy(false))
    return () => {
      current = false
    }
  }, [wish, camera, by, step])

  const said = view?.by === by
  return {
    view: view && (said ? view.what : { ...view.what, look: null }),
    history: history?.by === by ? history.what : [],
    busy,
  }
}

/** Finds the face, cuts it out, and gives it to the model: in workers, one after the other. */
async function analyse(
  { worker }: WorkerLink,
  finder: FaceFinder,
  { image, whole, ofCamera }: Wish,
  model: ModelSummary | null,
): Promise<Omit<View, 'live'>> {
  const size = model?.imageSize ?? DEFAULT_SIDE
  const face = whole ? null : await finder.find(image, size)
  const rgb = whole ? await finder.whole(image, size) : face?.crop
  const look = model && rgb ? await worker.tryIt.look(model.id, rgb) : null
  return { image, mirrored: ofCamera, whole, face, crop: rgb ? { rgb, size } : null, look }
}

/** Hands on image after image while `wanted`, never two at a time; rests while the page is hidden. */
async function watch(
  camera: Camera,
  wanted: () => boolean,
  each: (image: ImageBitmap) => Promise<void>,
): Promise<void> {
  const shown: ImageBitmap[] = []
  while (wanted()) {
    const image = await camera.frame()
    await each(image)
    shown.push(image)
    // The last two may still be drawn.
    if (shown.length > 2) shown.shift()!.close()
    await new Promise(requestAnimationFrame)
  }
}

/** An open camera; its pictures stay in the page. */
export interface Camera {
  /** The picture of this moment, as large as the camera gives it. */
  readonly frame: () => Promise<ImageBitmap>
  readonly close: () => void
}

/** Asks for the camera. @throws Error with a sentence for the visitor */
export async function openCamera(): Promise<Camera> {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new Error('This browser gives pages no camera; it does so only for https and localhost.')
  const stream = await navigator.mediaDevices
    .getUserMedia({ video: { facingMode: 'user', width: { ideal: 640 } }, audio: false })
    .catch((error: DOMException) => {
      throw new Error(reasons[error.name] ?? `The camera does not open: ${error.message}`)
    })
  const close = () => {
    for (const track of stream.getTracks()) track.stop()
  }
  const video = document.createElement('video')
  video.srcObject = stream
  video.muted = true
  video.playsInline = true
  try {
    await video.play()
  } catch (error) {
    close()
    throw new Error(`The camera gives no picture: ${(error as Error).message}`)
  }
  const frame = async () => {
    if (!stream.active) throw new Error('The camera has stopped.')
    return createImageBitmap(video)
  }
  return { frame, close }
}

const reasons: Readonly<Record<string, string>> = {
  NotAllowedError:
    'The camera was refused. Allow it for this page in the browser’s settings, or choose a photo.',
  NotFoundError: 'This device has no camera. Choose a photo instead.',
  NotReadableError: 'The camera is taken by another program.',
}

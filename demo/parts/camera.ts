/** An open camera; its images stay in the page. */
export interface Camera {
  /** The image of this moment, as large as the camera gives it. */
  readonly frame: () => Promise<ImageBitmap>
  readonly close: () => void
}

/** Asks for the camera. @throws Error with a sentence for the visitor */
export async function openCamera(): Promise<Camera> {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new Error('This page has no access to a camera. Browsers allow it only over https or on localhost.')
  const stream = await navigator.mediaDevices
    .getUserMedia({ video: { facingMode: 'user', width: { ideal: 640 } }, audio: false })
    .catch((error: DOMException) => {
      throw new Error(reasons[error.name] ?? `The camera cannot be opened: ${error.message}`)
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
    throw new Error(`The camera sends no image: ${(error as Error).message}`)
  }
  const frame = async () => {
    if (!stream.active) throw new Error('The camera was disconnected.')
    return createImageBitmap(video)
  }
  return { frame, close }
}

const reasons: Readonly<Record<string, string>> = {
  NotAllowedError:
    'The browser denied access to the camera. Allow it for this page in the browser settings, or choose a photo.',
  NotFoundError: 'No camera was found. Choose a photo instead.',
  NotReadableError: 'Another program uses the camera. Close that program and try again.',
}

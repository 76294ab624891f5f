import { type Remote, transfer, wrap } from 'comlink'
import type { Finder, FoundFace } from './finderWorker.js'

export type { FoundFace }

interface RunningFinder {
  readonly worker: Worker
  readonly finder: Remote<Finder>
  /** Rejects if the worker does not run. */
  readonly broken: Promise<never>
}

/**
 * Finds faces in a worker of its own, which is started (and its program and models fetched from the page's folder) at the first
 * picture: visitors who do not come this far pay nothing, and the page never stands still.
 */
export class FaceFinder {
  #running: RunningFinder | null = null

  /**
   * The largest face of a picture, upright and framed as the bundled faces are; null if there is none.
   * @param picture is left as it is
   * @param side of the crop in pixels
   * @throws Error with a sentence for the visitor if the finder does not run here
   */
  async find(picture: ImageBitmap, side: number): Promise<FoundFace | null> {
    this.#running ??= start()
    const { finder, broken } = this.#running
    const copy = await createImageBitmap(picture)
    try {
      return await Promise.race([finder.find(transfer(copy, [copy]), side), broken])
    } catch (error) {
      // A server that failed may answer the next time: begin anew.
      this.#running?.worker.terminate()
      this.#running = null
      throw error
    }
  }
}

function start(): RunningFinder {
  const worker = new Worker(new URL('faceFinder.js', import.meta.url), { type: 'module' })
  const broken = new Promise<never>((_, reject) => {
    worker.onerror = ({ message }) =>
      reject(new Error(`The face finder does not run here${message ? `: ${message}` : ''}.`))
  })
  // Whoever waits hears of it; nobody else has to.
  broken.catch(() => {})
  return { worker, finder: wrap<Finder>(worker), broken }
}

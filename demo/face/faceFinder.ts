import { type Remote, transfer, wrap } from 'comlink'
import type { Finder, FoundFace } from './finderWorker.js'

export type { FoundFace }

interface RunningFinder {
  readonly finder: Remote<Finder>
  /** Rejects when the worker is at an end. */
  readonly ended: Promise<never>
  /** Ends the worker; all who wait for it get the error. */
  readonly end: (error: Error) => void
}

/**
 * Finds and crops faces in a worker of its own, which is started (and its program and models fetched from the page's
 * folder) at the first photo: visitors who do not come this far pay nothing, and the page never stands still.
 */
export class FaceFinder {
  #running: RunningFinder | null = null

  /**
   * The largest face of an image, upright and framed as the bundled faces are; null if there is none.
   * @param image is left as it is
   * @param side of the crop in pixels
   * @throws Error with a sentence for the visitor if the finder does not run here
   */
  find(image: ImageBitmap, side: number): Promise<FoundFace | null> {
    return this.#ask(image, (finder, copy) => finder.find(transfer(copy, [copy]), side))
  }

  /** The whole image squeezed into a square. → RGB bytes, side·side·3. */
  whole(image: ImageBitmap, side: number): Promise<Uint8Array> {
    return this.#ask(image, (finder, copy) => finder.whole(transfer(copy, [copy]), side))
  }

  async #ask<T>(
    image: ImageBitmap,
    question: (finder: Remote<Finder>, copy: ImageBitmap) => Promise<T>,
  ): Promise<T> {
    this.#running ??= start()
    const running = this.#running
    const copy = await createImageBitmap(image)
    try {
      return await Promise.race([question(running.finder, copy), running.ended])
    } catch (error) {
      // A server that failed may answer the next time: begin anew.
      running.end(error as Error)
      if (this.#running === running) this.#running = null
      throw error
    }
  }
}

function start(): RunningFinder {
  const worker = new Worker(new URL('faceFinder.js', import.meta.url), { type: 'module' })
  let end: (error: Error) => void = () => {}
  const ended = new Promise<never>((_, reject) => {
    end = (error) => {
      worker.terminate()
      reject(error)
    }
  })
  // Whoever waits hears of it; nobody else has to.
  ended.catch(() => {})
  worker.onerror = ({ message }) =>
    end(
      new Error(`Face detection cannot start${message ? `: ${message}` : ''}. Reload the page to try again.`),
    )
  return { finder: wrap<Finder>(worker), ended, end }
}

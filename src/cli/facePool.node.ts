import { Worker } from 'node:worker_threads'
import type { CutOptions } from '../predict/cutFaces.node.js'
import type { CutImage, ImageContent } from '../predict/prediction.js'
import type { Answer, Task } from './faceWorker.node.js'

interface Thread {
  readonly worker: Worker
  tasks: number
}

/** Threads that decode images and cut faces out of them, beside the device. */
export class FacePool {
  readonly #threads: readonly Thread[]
  readonly #waiting = new Map<
    number,
    { readonly resolve: (image: CutImage) => void; readonly reject: (error: Error) => void }
  >()
  #next = 0
  /** Why a thread has died; null while all live. */
  failure: Error | null = null

  /** @param size number of threads */
  constructor(
    readonly size: number,
    options: CutOptions,
  ) {
    this.#threads = Array.from({ length: size }, () => {
      // The build puts it beside the program.
      const worker = new Worker(new URL('./faceWorker.js', import.meta.url), { workerData: options })
      const thread = { worker, tasks: 0 }
      worker.on('message', (answer: Answer) => this.#answered(thread, answer))
      worker.on('error', (error) => this.#fail(error))
      return thread
    })
  }

  /** Hands the image to the thread with the least work. @throws Error with the reason */
  readonly cut = (content: ImageContent): Promise<CutImage> => {
    if (this.failure) return Promise.reject(this.failure)
    const id = this.#next++
    const thread = this.#threads.reduce((least, other) => (other.tasks < least.tasks ? other : least))
    thread.tasks++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      thread.worker.postMessage({ id, content } satisfies Task)
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #answered(thread: Thread, answer: Answer): void {
    thread.tasks--
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if ('image' in answer) waiting?.resolve(answer.image)
    else waiting?.reject(new Error(answer.problem))
  }

  /** A thread has died: nothing that it was to do will be done. */
  #fail(error: Error): void {
    this.failure = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

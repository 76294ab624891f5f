/** A thread of `FacePool`: cuts faces out of the images that it gets. */
import { parentPort, workerData } from 'node:worker_threads'
import { type CutOptions, cutFaces } from '../predict/cutFaces.node.js'
import type { CutImage, ImageContent } from '../predict/prediction.js'

export interface Task {
  readonly id: number
  readonly content: ImageContent
}

export type Answer =
  | { readonly id: number; readonly image: CutImage }
  | { readonly id: number; readonly problem: string }

const options = workerData as CutOptions

parentPort!.on('message', async ({ id, content }: Task) => {
  try {
    const image = await cutFaces(content, options)
    parentPort!.postMessage({ id, image } satisfies Answer)
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    parentPort!.postMessage({ id, problem } satisfies Answer)
  }
})

import { openDevice } from '../../../src/engine/device.js'
import { imageDecoder } from '../../../src/train/data/imageDecoder.js'
import { fetchWebDataset } from '../../../src/train/data/webDataset.browser.js'
import { fineTuningCurve, pretrainingCurve } from '../curves.js'

// Decoding and training as a page does them, asked by a test in Node.

const runtime = await openDevice()
const faces = { set: await fetchWebDataset(new URL('/data/faces/', location.href)), decoder: imageDecoder }

const page = {
  pretraining: () => pretrainingCurve(runtime, faces),
  fineTuning: () => fineTuningCurve(runtime, faces),

  /** Pixels of some bundled faces. */
  decodeFaces: (indices: readonly number[], size: number): Promise<number[][]> =>
    Promise.all(
      indices.map(async (index) => [...(await imageDecoder.decode(await faces.set.bytes(index), size))]),
    ),

  decode: async (bytes: readonly number[], size: number): Promise<number[]> => [
    ...(await imageDecoder.decode(Uint8Array.from(bytes), size)),
  ],
}

declare global {
  var trainingPage: typeof page
}
globalThis.trainingPage = page

import { imageDecoder } from '../../../src/data/imageDecoder.js'
import { fetchWebDataset } from '../../../src/data/webDataset.browser.js'
import { openDevice } from '../../../src/engine/device.js'
import type { StoredChoices } from '../../../src/engine/tuner.js'
import { openVariantStore } from '../../../src/engine/variantStore.browser.js'
import { fineTuningCurve, pretrainingCurve } from '../curves.js'

// Decoding and training as a page does them, asked by a test in Node.

const runtime = await openDevice()
const faces = { set: await fetchWebDataset(new URL('/data/faces/', location.href)), decoder: imageDecoder }

const page = {
  pretraining: () => pretrainingCurve(runtime, faces),
  fineTuning: () => fineTuningCurve(runtime, faces),

  /** Keeps kernel choices of two adapters, one of them in two parts, and reads them back. */
  async store(): Promise<StoredChoices[]> {
    const choice = (variant: string) => ({ variant, kernels: 'texts' })
    await openVariantStore().save('one', { a: choice('x') })
    await openVariantStore().save('one', { b: choice('y') })
    await openVariantStore().save('other', { a: choice('z') })
    return Promise.all(['one', 'other', 'none'].map((adapter) => openVariantStore().load(adapter)))
  },

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

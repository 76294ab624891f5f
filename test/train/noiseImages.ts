import { ImageLoader } from '../../src/data/imageLoader.js'
import type { ImageSet } from '../../src/data/imageSet.js'
import { PhiloxStream } from '../../src/engine/random.js'
import { CHANNELS } from '../../src/model/config.js'

export const noiseAus = [1, 4, 12]
export const noiseSubjects = ['S0', 'S1', 'S2', 'S3', 'S4']

/** Noise pictures with labels, for tests of how training runs, not of what it learns. */
export const noiseSet: ImageSet = {
  name: 'noise',
  length: 12,
  aus: noiseAus,
  folds: null,
  sample: (i) => ({ id: String(i), subject: noiseSubjects[i % 5], aus: [noiseAus[i % 3]], split: null }),
  bytes: async (i) => Uint8Array.of(i),
  describe: (i) => `noise ${i}`,
}

export const noiseIndices = Array.from({ length: noiseSet.length }, (_, i) => i)

export function noiseLoader(size: number): ImageLoader {
  const decoder = {
    decode: async ([seed]: Uint8Array) => {
      const stream = new PhiloxStream(seed, 0)
      return Uint8Array.from({ length: size * size * CHANNELS }, () => stream.integer(256))
    },
  }
  return new ImageLoader({ set: noiseSet, decoder, size, standardisation: 'highpass' })
}

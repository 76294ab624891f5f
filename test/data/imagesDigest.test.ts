import t from 'tap'
import { imagesDigest } from '../../src/data/imagesDigest.js'
import { noiseIndices, noiseSet } from '../train/noiseImages.js'

// Checkpoints hold digests: they must never change.

t.test('a set of few pictures', async (t) => {
  t.equal(await imagesDigest(noiseSet, noiseIndices), '12 pictures, sha256 f895e97eb2f9f03a')
})

t.test('a set whose records are longer together than any string may be', async (t) => {
  const name = 'x'.repeat(2 ** 20)
  const length = 270
  const sample = (i: number) => ({ ...noiseSet.sample(i), id: `${name}${i}` })
  const all = Array.from({ length }, (_, index) => index)
  t.equal(await imagesDigest({ ...noiseSet, length, sample }, all), '270 pictures, sha256 18c8420585aae0e5')
})

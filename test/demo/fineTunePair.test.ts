import t from 'tap'
import { type FineTuneSettings, storedPairSchema } from '../../demo/protocol.js'
import type { Faces } from '../../demo/worker/faces.js'
import { FineTunePair } from '../../demo/worker/fineTunePair.js'
import { LifeCycle } from '../../demo/worker/lifeCycle.js'
import { RunStore } from '../../demo/worker/runStore.js'
import { imageDecoder } from '../../src/data/decodeImage.node.js'
import { mainJobData } from '../../src/data/faces.js'
import { ImageLoader } from '../../src/data/imageLoader.js'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { openDevice } from '../../src/engine/device.js'
import { writeFewFaces } from '../browser/fewFaces.js'
import { tinyClassifier } from '../train/noiseRuns.js'
import { provideStorage } from './memoryStorage.js'
import { fileOf } from './noiseRun.js'

// Two classifiers with one life cycle under what a visitor asks of them at the same time.

const runtime = await openDevice()
t.teardown(() => runtime.close())
t.beforeEach(provideStorage)

const folder = t.testdir()
await writeFewFaces(folder)
const set = await openImageSet(folder)
const faces: Faces = {
  data: mainJobData(set, 'fold3', 0),
  loader: new ImageLoader({ set, decoder: imageDecoder, size: 64, standardisation: 'highpass' }),
}
const settings = { lambda: 1, batchSize: 16, epochs: 1, baseLearningRate: 0.01 }
const config = { ...tinyClassifier, imageSize: 64, patchSize: 32 }

function tinyPair(): LifeCycle<FineTuneSettings, FineTunePair> {
  const tell = () => {}
  const pair = new FineTunePair(runtime, {
    tell,
    faces: async () => faces,
    encoder: async () => ({ config, pretrained: null }),
  })
  return new LifeCycle(pair, { tell, takeTurn: async () => {} })
}

const store = () => new RunStore({ folder: [], file: 'fineTune.json', schema: storedPairSchema }, () => {})
const goesOnStored = async () => (await store().load())?.running

t.test('they are thrown away after a file of one of them is made', async (t) => {
  const pair = tinyPair()
  await pair.begin(settings)
  const [file] = await Promise.all([pair.training.iat.source(pair).download(), pair.reset()])
  t.equal(fileOf(file).metadata.kind, 'iat')
  t.equal(pair.training.iat.run, null)
  await t.resolves(runtime.finish(), 'the device goes on')
})

t.test('evaluations are read under the name that version 0.2.0 saved them by', async (t) => {
  const pair = tinyPair()
  await pair.advance(1, settings)
  const { evaluations, ...rest } = (await store().load())!
  t.same(storedPairSchema.parse({ ...rest, exams: evaluations }), { ...rest, evaluations })
  await pair.reset()
})

t.test('made once, though they are begun twice', async (t) => {
  const pair = tinyPair()
  await Promise.all([pair.begin(settings), pair.begin({ ...settings, lambda: 2 })])
  t.equal(pair.training.iat.settings?.lambda, 1)
  await pair.reset()
})

t.test('with a hidden page they rest, and storage tells that they go on', async (t) => {
  const pair = tinyPair()
  await pair.begin(settings)
  await pair.rest()
  t.equal(await goesOnStored(), true)
  const reloaded = tinyPair()
  t.equal(await reloaded.restore(), true)
  await pair.pause()
  t.equal(await goesOnStored(), false, 'paused at rest')
  await pair.reset()
  await reloaded.reset()
})

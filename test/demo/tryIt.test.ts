import t from 'tap'
import { TryIt } from '../../demo/worker/tryIt.js'
import { openDevice } from '../../src/engine/device.js'
import { encodeCheckpoint } from '../../src/train/checkpoint/checkpoint.js'
import { fineTuneDefaults } from '../../src/train/settings.js'
import { noiseAus } from '../train/noiseImages.js'
import { noiseFineTuning, tinyClassifier } from '../train/noiseRuns.js'
import { fileOf } from './noiseRun.js'

// Model files that a visitor drops, in Node.

const runtime = await openDevice()
t.teardown(() => runtime.close())

async function modelFile(name: string): Promise<File> {
  const run = noiseFineTuning(runtime, tinyClassifier, { batchSize: 2 })
  const info = { config: tinyClassifier, settings: fineTuneDefaults({ lambda: 1 }), aus: noiseAus }
  return new File([...(await encodeCheckpoint(name, run, info, {}))] as Uint8Array<ArrayBuffer>[], name)
}

t.test('a model that is replaced while its file is made: first the file, then its end', async (t) => {
  const tryIt = new TryIt(runtime, { sources: () => new Map(), takePretrained: async () => {} })
  await tryIt.open(await modelFile('first'), false)
  const second = await modelFile('second')
  const [parts] = await Promise.all([tryIt.download('dropped'), tryIt.open(second, false)])
  t.equal(fileOf(parts).metadata.kind, 'iat')
  t.match(tryIt.models(), [{ file: 'second' }])
  await t.resolves(runtime.finish(), 'the device goes on')
})

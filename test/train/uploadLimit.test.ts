import t from 'tap'
import { ImageLoader } from '../../src/data/imageLoader.js'
import { openDevice } from '../../src/engine/device.js'
import { presets } from '../../src/model/presets.js'
import { Pretraining } from '../../src/train/loop/pretraining.js'
import { trainLoop } from '../../src/train/loop/trainLoop.js'
import { pretrainDefaults } from '../../src/train/settings.js'
import { noiseIndices, noiseSet } from './noiseImages.js'

const MIB = 2 ** 20

t.test(
  'a step whose batches come faster than the device works holds no more than 512 MiB of them',
  async (t) => {
    const runtime = await openDevice()
    const config = {
      ...presets.nano,
      imageSize: 448,
      patchSize: 112,
      width: 8,
      heads: 1,
      depth: 1,
      decoderWidth: 8,
      decoderDepth: 1,
      decoderHeads: 1,
    }
    const [batchSize, accumulation] = [24, 10]
    const settings = pretrainDefaults({ epochs: 1, batchSize, accumulation })
    const indices = Array.from({ length: batchSize * accumulation }, (_, i) => i % noiseIndices.length)
    const decoder = {
      decode: async (bytes: Uint8Array, size: number) => new Uint8Array(3 * size ** 2).fill(bytes[0]),
    }
    const loader = new ImageLoader({
      set: noiseSet,
      decoder,
      size: config.imageSize,
      standardisation: 'imagenet',
    })
    const run = new Pretraining(runtime, config, settings, loader, indices)
    const upload = run.upload.bind(run)
    let [uploaded, most] = [0, 0]
    run.upload = (batch) => {
      upload(batch)
      uploaded += batch.images.byteLength
      most = Math.max(most, runtime.uploadsUnderWay)
    }
    await trainLoop({ run, onSteps: () => {}, onEpoch: async () => {}, stopRequested: () => false })
    t.ok(uploaded > 512 * MIB, `${uploaded / MIB} MiB in all`)
    t.ok(most <= 512 * MIB, `${most / MIB} MiB at most`)
    runtime.close()
  },
)

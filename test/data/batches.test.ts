import t from 'tap'
import { BatchSource, sequentialBatches, type TrainingBatchOptions } from '../../src/data/batches.js'
import { ImageLoader } from '../../src/data/imageLoader.js'
import type { ImageDecoder, ImageSet } from '../../src/data/imageSet.js'

const size = 8

/** Picture i is a ramp whose brightness starts at i; nothing is encoded. */
function makeSet(length: number): ImageSet {
  return {
    name: 'ramps',
    length,
    aus: [1, 12],
    folds: null,
    sample: (index) => ({
      id: `${index}`,
      subject: `S${index % 3}`,
      aus: index % 2 ? [12] : [],
      split: null,
    }),
    bytes: async (index) => Uint8Array.of(index),
    describe: (index) => `ramps member ${index}`,
  }
}

/** Counts what it decodes; picture 99 is damaged. */
class RampDecoder implements ImageDecoder {
  count = 0
  async decode(bytes: Uint8Array, size: number): Promise<Uint8Array> {
    if (bytes[0] === 99) throw new Error('bad marker\ncalled by: a library')
    this.count++
    return Uint8Array.from({ length: size * size * 3 }, (_, at) => bytes[0] + at)
  }
}

function makeLoader(length = 10, cacheBytes?: number) {
  const decoder = new RampDecoder()
  const options = { set: makeSet(length), decoder, size, standardisation: 'imagenet' } as const
  return {
    decoder,
    loader: new ImageLoader(cacheBytes === undefined ? options : { ...options, cacheBytes }),
  }
}

function makeSource(options: Partial<TrainingBatchOptions> = {}) {
  return new BatchSource({
    loader: makeLoader().loader,
    indices: [9, 1, 2, 3, 4, 5, 6, 7, 8, 0],
    batchSize: 3,
    seed: 5,
    augmentation: { flip: true, shift: 1 },
    aus: [12, 1],
    subjects: ['S2', 'S1', 'S0'],
    ...options,
  })
}

async function take(source: BatchSource, count: number) {
  const batches = []
  for (let i = 0; i < count; i++) batches.push(await source.next())
  return batches
}

t.test(
  'an epoch visits every picture at most once, each epoch in another order, the same for one seed',
  async (t) => {
    const source = makeSource()
    t.equal(source.batchesPerEpoch, 3)
    const batches = await take(source, 6)
    t.same(source.state, { epoch: 2, position: 0 })
    const epochs = [0, 3].map((first) =>
      batches.slice(first, first + 3).flatMap(({ indices }) => [...indices]),
    )
    for (const epoch of epochs) t.equal(new Set(epoch).size, 9)
    t.notSame(epochs[0], epochs[1])
    t.same(await take(makeSource(), 6), batches)
    t.notSame((await take(makeSource({ seed: 6 }), 1))[0].indices, batches[0].indices)
  },
)

t.test('a stopped run goes on with the same batches', async (t) => {
  const whole = await take(makeSource(), 8)
  const stopped = makeSource()
  await take(stopped, 4)
  const { state } = stopped
  t.same(state, { epoch: 1, position: 1 })
  const resumed = makeSource()
  await resumed.next()
  resumed.state = state
  t.same(await take(resumed, 4), whole.slice(4))
  t.throws(() => Object.assign(makeSource({ batchSize: 5 }), { state: { epoch: 0, position: 2 } }), {
    message: /Cannot resume at batch 2/,
  })
})

t.test('the change of a picture depends on epoch and picture, not on its place in a batch', async (t) => {
  const images = async (batchSize: number) => {
    const found = new Map<number, number[]>()
    const source = makeSource({ batchSize })
    for (const { indices, images } of await take(source, source.batchesPerEpoch))
      indices.forEach((index, at) => {
        found.set(index, [...images.subarray(at * 192, (at + 1) * 192)])
      })
    return found
  }
  const [small, large] = [await images(1), await images(5)]
  for (const [index, image] of large) t.same(small.get(index), image)
})

t.test('targets follow the asked columns and classes', async (t) => {
  const { indices, aus, subjects } = await makeSource().next()
  indices.forEach((index, at) => {
    t.same([...aus.subarray(at * 2, at * 2 + 2)], [index % 2, 0])
    t.equal(subjects[at], 2 - (index % 3))
  })
  const bare = await new BatchSource({
    loader: makeLoader().loader,
    indices: [0, 1],
    batchSize: 1,
    seed: 0,
    augmentation: { flip: false, shift: 0 },
  }).next()
  t.equal(bare.aus.length + bare.subjects.length, 0)
})

t.test('evaluation takes pictures in order, unchanged, the last batch partial', async (t) => {
  const { loader } = makeLoader()
  const batches = []
  for await (const batch of sequentialBatches({ loader, indices: [4, 3, 2, 1, 0], batchSize: 2, aus: [12] }))
    batches.push(batch)
  t.same(
    batches.map(({ indices, aus }) => [[...indices], [...aus]]),
    [
      [
        [4, 3],
        [0, 1],
      ],
      [
        [2, 1],
        [0, 1],
      ],
      [[0], [0]],
    ],
  )
  t.same(batches[2].images, await loader.load(0))
})

t.test('pictures are decoded once as long as the memory budget lasts', async (t) => {
  const read = async (cacheBytes: number) => {
    const { loader, decoder } = makeLoader(10, cacheBytes)
    for (let round = 0; round < 2; round++) for (let index = 0; index < 10; index++) await loader.load(index)
    return decoder.count
  }
  t.equal(await read(2 ** 20), 10)
  t.equal(await read(3 * size * size * 4 * 4), 16)
  t.equal(await read(0), 20)
})

t.test('mistakes of data show with their cause', async (t) => {
  t.throws(() => makeSource({ batchSize: 11 }), {
    message: /10 images are fewer than one batch of 11; lower the batch size$/,
  })
  t.throws(() => makeSource({ aus: [1, 6] }), { message: /no labels for AU 6; its labels cover AU 1, 12/ })
  t.throws(() => makeSource({ subjects: ['S1', 'S2'] }), {
    message: /unknown subject S0; expected one of the 2 subjects/,
  })
  const damaged = makeSource({ loader: makeLoader(100).loader, indices: [99], batchSize: 1 })
  await t.rejects(damaged.next(), {
    name: 'UserError',
    message: /ramps member 99: cannot be decoded \(bad marker\); expected JPEG, PNG or WebP$/,
  })
})

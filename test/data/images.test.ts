import fc from 'fast-check'
import sharp from 'sharp'
import t from 'tap'
import { copyAugmented, drawAugmentation } from '../../src/data/augment.js'
import { imageDecoder } from '../../src/data/decodeImage.node.js'
import { highpassWindow, standardise } from '../../src/data/standardise.js'
import { makeImage } from './makeShard.js'

t.test('decodes any colour model to RGB of the asked size', async (t) => {
  const red = await makeImage(200, 10, 20, 16)
  t.same([...(await imageDecoder.decode(red, 4)).slice(0, 6)], [200, 10, 20, 200, 10, 20])
  const grey = await sharp(red).greyscale().png().toBuffer()
  const pixels = await imageDecoder.decode(grey, 2)
  t.equal(pixels.length, 12)
  t.equal(new Set(pixels).size, 1)
  const clear = await sharp(red).ensureAlpha(1).webp({ lossless: true }).toBuffer()
  t.same([...(await imageDecoder.decode(clear, 1))], [200, 10, 20])
  const wide = await sharp(red).resize(40, 10, { fit: 'fill' }).jpeg().toBuffer()
  t.equal((await imageDecoder.decode(wide, 8)).length, 192)
})

t.test('a damaged picture is refused', async (t) => {
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const
  const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'white', noise } })
    .jpeg()
    .toBuffer()
  await t.rejects(imageDecoder.decode(jpeg.subarray(0, jpeg.length / 2), 8))
  await t.rejects(imageDecoder.decode(new TextEncoder().encode('not a picture'), 8))
})

const pixelsOf = (size: number) => fc.uint8Array({ minLength: size * size * 3, maxLength: size * size * 3 })

t.test('ImageNet standardisation is by channel', async (t) => {
  const out = standardise(Uint8Array.of(255, 0, 128), 1, 'imagenet')
  const expected = [(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (128 / 255 - 0.406) / 0.225]
  out.forEach((value, at) => {
    t.ok(Math.abs(value - expected[at]) < 1e-6)
  })
  t.throws(() => standardise(new Uint8Array(5), 1, 'imagenet'), { message: /5 bytes; expected 1·1·3 = 3/ })
})

/** The definition, window by window. */
function boxMean(values: readonly number[], size: number, radius: number): number[] {
  return values.map((_, at) => {
    const [y, x] = [Math.floor(at / size), at % size]
    const window = values.filter(
      (_, other) =>
        Math.abs(Math.floor(other / size) - y) <= radius && Math.abs((other % size) - x) <= radius,
    )
    return window.reduce((sum, value) => sum + value, 0) / window.length
  })
}

t.test('high-pass is the picture minus its twice smoothed self, over its deviation', async (t) => {
  t.same([8, 14, 32, 64, 96, 224].map(highpassWindow), [3, 3, 5, 9, 13, 31])
  const size = 16
  const radius = (highpassWindow(size) - 1) / 2
  fc.assert(
    fc.property(pixelsOf(size), (pixels) => {
      const planes = [0, 1, 2].map((c) =>
        Array.from({ length: size * size }, (_, at) => pixels[at * 3 + c] / 255),
      )
      const expected = planes.flatMap((plane) => {
        const smooth = boxMean(boxMean(plane, size, radius), size, radius)
        return plane.map((value, at) => value - smooth[at])
      })
      const mean = expected.reduce((sum, v) => sum + v, 0) / expected.length
      const deviation = Math.sqrt(expected.reduce((sum, v) => sum + (v - mean) ** 2, 0) / expected.length)
      const out = standardise(pixels, size, 'highpass')
      const worst = Math.max(...expected.map((v, at) => Math.abs(v / Math.max(deviation, 1e-4) - out[at])))
      t.ok(worst < 1e-4)
    }),
    { numRuns: 20 },
  )
})

t.test('a flat picture becomes zeros, and light changes nothing', async (t) => {
  t.ok(
    standardise(new Uint8Array(64 * 64 * 3).fill(77), 64, 'highpass').every(
      (value) => Math.abs(value) < 1e-6,
    ),
  )
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, at) => (at * 37) % 100)
  const bright = standardise(
    pixels.map((value) => 2 * value + 20),
    32,
    'highpass',
  )
  standardise(pixels, 32, 'highpass').forEach((value, at) => {
    if (Math.abs(value - bright[at]) > 1e-4) t.fail(`pixel ${at}: ${value} and ${bright[at]}`)
  })
})

t.test('shift repeats the edge, the mirror turns left and right', async (t) => {
  const image = Float32Array.from({ length: 27 }, (_, at) => at)
  const apply = (mirrored: boolean, shiftX: number, shiftY: number) => {
    const out = new Float32Array(30).fill(-1)
    copyAugmented(image, 3, { mirrored, shiftX, shiftY }, out, 3)
    return [...out.slice(3, 12)]
  }
  t.same(apply(false, 0, 0), [0, 1, 2, 3, 4, 5, 6, 7, 8])
  t.same(apply(false, 1, 0), [1, 2, 2, 4, 5, 5, 7, 8, 8])
  t.same(apply(false, 0, -1), [0, 1, 2, 0, 1, 2, 3, 4, 5])
  t.same(apply(true, 0, 0), [2, 1, 0, 5, 4, 3, 8, 7, 6])
})

t.test('draws are spread evenly over flips and shifts', async (t) => {
  const draws = Array.from({ length: 2000 }, (_, at) => drawAugmentation({ flip: true, shift: 2 }, 1, 3, at))
  const mirrored = draws.filter((draw) => draw.mirrored).length
  t.ok(Math.abs(mirrored - 1000) < 120)
  for (const shift of [-2, -1, 0, 1, 2]) {
    t.ok(Math.abs(draws.filter(({ shiftX }) => shiftX === shift).length - 400) < 100)
    t.ok(Math.abs(draws.filter(({ shiftY }) => shiftY === shift).length - 400) < 100)
  }
  t.notOk(draws.some((_, at) => drawAugmentation({ flip: false, shift: 0 }, 1, 3, at).mirrored))
})

import { rmSync, truncateSync } from 'node:fs'
import fc from 'fast-check'
import sharp from 'sharp'
import t from 'tap'
import { copyAugmented, drawAugmentation } from '../../src/data/augment.js'
import { imageDecoder } from '../../src/data/decodeImage.node.js'
import { imageFormat } from '../../src/data/imageFormat.js'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { highpassWindow, standardise } from '../../src/data/standardise.js'
import { withoutBadImages } from '../../src/data/withoutBadImages.js'
import { makeImage } from './makeShard.js'
import { openTree } from './readers/openTree.js'

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

t.test('images are told by content: what the name says is not asked', async (t) => {
  const red = await makeImage(200, 10, 20, 40)
  const wide = sharp(red).resize(37, 21, { fit: 'fill' })
  for (const [type, bytes] of [
    ['image/png', await wide.png().toBuffer()],
    ['image/jpeg', await wide.jpeg({ progressive: true }).withMetadata({ orientation: 3 }).toBuffer()],
    ['image/webp', await wide.webp().toBuffer()],
    ['image/webp', await wide.webp({ lossless: true }).toBuffer()],
    ['image/webp', await wide.ensureAlpha(0.5).webp().withMetadata({ orientation: 3 }).toBuffer()],
  ] as const) {
    t.same(imageFormat(bytes), { type, width: 37, height: 21 })
    for (let length = 0; length < bytes.length; length += 7)
      try {
        imageFormat(bytes.subarray(0, length))
      } catch (error) {
        t.type(error, Error)
      }
  }
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
  for (const [bytes, reason] of [
    [Buffer.from(svg), /it is text, such as SVG/],
    [Buffer.from(`\ufeff${svg}`), /it is text, such as SVG/],
    [await wide.gif().toBuffer(), /it is GIF/],
    [await wide.tiff().toBuffer(), /it is TIFF/],
    [await wide.avif().toBuffer(), /it is AVIF/],
    [Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /git lfs pull/],
    [Buffer.alloc(0), /the file is empty/],
    [Buffer.from('BM'), /it is BMP/],
    [Buffer.alloc(99), /unknown format/],
  ] as const)
    await t.rejects(imageDecoder.decode(bytes, 8), { message: reason })
})

t.test('noise behind the signature of an image is looked at in steps forward', async () => {
  const starts = ['\xff\xd8\xff', '\x89PNG\r\n\x1a\n', 'RIFF1234WEBPVP8X', 'RIFF1234WEBPVP8L'].map((text) =>
    Buffer.from(text, 'latin1'),
  )
  fc.assert(
    fc.property(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 3000 }), (start, noise) => {
      try {
        imageFormat(Buffer.concat([start, noise]))
      } catch {
        // Any reason will do.
      }
    }),
  )
})

t.test('an image of too many pixels is refused before it is decoded', async (t) => {
  const background = 'white'
  const large = await sharp({ create: { width: 8000, height: 7000, channels: 3, background } })
    .toColourspace('b-w')
    .png({ palette: true, colours: 2 })
    .toBuffer()
  await t.rejects(imageDecoder.decode(large, 8), {
    message: '8000×7000 pixels; at most 50 million are supported',
  })
  t.equal((await imageDecoder.decode(large, 8, 56e6)).length, 192)
  await t.rejects(imageDecoder.decode(await makeImage(1, 2, 3, 8), 4, 63), { message: /8×8 pixels/ })
})

t.test('an image file that would fill memory is refused before it is read', async (t) => {
  const folder = t.testdir({ 'labels.jsonl': '{"img_path":"a.jpg","subject":"S1","AUs":[1]}', 'a.jpg': '' })
  truncateSync(`${folder}/a.jpg`, 2 ** 27 + 1)
  for (const labels of [true, false]) {
    if (!labels) rmSync(`${folder}/labels.jsonl`)
    const set = await openImageSet(folder)
    await t.rejects(set.bytes(0), {
      name: 'UserError',
      message: `${folder}/a.jpg: has 134217729 bytes; expected at most 134217728`,
    })
  }
})

t.test('bad images are skipped by choice, named, up to a tenth', async (t) => {
  const good = await makeImage(1, 2, 3)
  const files = Object.fromEntries(
    Array.from({ length: 20 }, (_, at) => [`${at + 10}.png`, good as Uint8Array]),
  )
  const damaged = { ...files, '12.png': good.subarray(0, 60), '15.png': Buffer.from('<svg/>') }
  const { set, bad } = await withoutBadImages(await openTree(damaged), imageDecoder)
  t.equal(set.length, 18)
  t.match(bad, [/^faces\/12\.png: cannot be decoded/, /^faces\/15\.png: .*it is text/])
  t.equal(set.sample(2).id, '13.png')
  t.equal(set.describe(4), 'faces/16.png')
  const worse = await openTree({ ...damaged, '20.png': '' })
  await t.rejects(withoutBadImages(worse, imageDecoder), {
    name: 'UserError',
    message:
      /more than 2 images of 20 cannot be read; --bad-images skip allows at most a tenth\. The first: faces\/12\.png/,
  })
})

const pixelsOf = (size: number) => fc.uint8Array({ minLength: size * size * 3, maxLength: size * size * 3 })

t.test('ImageNet standardisation is by channel', async (t) => {
  const out = standardise(Uint8Array.of(255, 0, 128), 1, 'imagenet')
  const expected = [(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (128 / 255 - 0.406) / 0.225]
  out.forEach((value, at) => {
    t.ok(Math.abs(value - expected[at]) < 1e-6)
  })
  t.throws(() => standardise(new Uint8Array(5), 1, 'imagenet'), { message: /5 bytes; expected 1·1·3 = 3/ })
  t.throws(() => standardise(new Uint8Array(3), 1, 'imgnet' as 'imagenet'), {
    message: 'standardise: "imgnet"; expected imagenet or highpass',
  })
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

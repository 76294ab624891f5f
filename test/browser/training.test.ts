import sharp from 'sharp'
import t from 'tap'
import { imageDecoder } from '../../src/data/decodeImage.node.js'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { openDevice } from '../../src/engine/device.js'
import { PhiloxStream } from '../../src/engine/random.js'
import { launchChromium } from './chromium.js'
import { fineTuningCurve, pretrainingCurve, STEPS } from './curves.js'
import { openTestPage } from './page.js'

// Chromium decodes and trains as Node does.

const chromium = await launchChromium()
if (chromium.skip) t.test('decoding and training', { skip: chromium.skip }, async () => {})
else {
  const { page, errors } = await openTestPage(chromium, 'training')
  const set = await openImageSet('data/faces')
  const samples = await images()
  const runtime = await openDevice()
  t.teardown(() => runtime.close())
  const faces = { set, decoder: imageDecoder }

  t.test('bundled faces decode to the same pixels', async (t) => {
    const indices = [0, 1, 500, 2000, 4031, 4032, 7000]
    const theirs = await page.evaluate((indices) => trainingPage.decodeFaces(indices, 64), indices)
    for (const [i, index] of indices.entries())
      t.equal(largestDifference(theirs[i], await imageDecoder.decode(await set.bytes(index), 64)), 0)
  })

  for (const { name, bytes, allowed } of samples) {
    t.test(`${name}: decoded as in Node`, async (t) => {
      const theirs = await page.evaluate((bytes) => trainingPage.decode(bytes, 64), [...bytes])
      const difference = largestDifference(theirs, await imageDecoder.decode(bytes, 64))
      t.ok(difference <= allowed, `${difference} of 255`)
    })
  }

  t.test('what is no whole picture is refused', async (t) => {
    const [{ bytes }] = samples
    for (const [damaged, reason] of [
      [bytes.subarray(0, bytes.length / 2), /could not be decoded/],
      [Buffer.from('hello'), /unknown format/],
      [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), /it is text, such as SVG/],
      [Buffer.alloc(0), /the file is empty/],
    ] as const) {
      const decoding = page.evaluate((bytes) => trainingPage.decode(bytes, 64), [...damaged])
      await t.rejects(decoding, { message: reason })
      await t.rejects(imageDecoder.decode(damaged, 64))
    }
  })

  const compare = async (t: Test, what: string, here: number[], there: number[]) => {
    const ends = (curve: number[]) => `${curve[0].toFixed(6)} … ${curve.at(-1)!.toFixed(6)}`
    t.comment(`${what}: Node ${ends(here)}, Chromium ${ends(there)}`)
    t.equal(here.length, STEPS)
    t.equal(there.length, STEPS)
    const errors = here.map((loss, step) => Math.abs(there[step] / loss - 1))
    for (const [step, error] of errors.entries()) t.ok(error < 1e-3, `${what}, step ${step}: ${error}`)
  }

  t.test('FMAE: the same loss curve', async (t) => {
    const there = await page.evaluate(() => trainingPage.pretraining())
    const here = await pretrainingCurve(runtime, faces)
    await compare(t, 'FMAE', here, there)
    t.ok(there.at(-1)! < there[0] * 0.95, 'and it falls')
  })

  t.test('FMAE-IAT: the same loss curve', async (t) => {
    const there = await page.evaluate(() => trainingPage.fineTuning())
    await compare(t, 'FMAE-IAT', await fineTuningCurve(runtime, faces), there)
  })

  t.test('kernel choices are kept in IndexedDB, by adapter', async (t) => {
    const choice = (variant: string) => ({ variant, kernels: 'texts' })
    const stored = await page.evaluate(() => trainingPage.store())
    t.same(stored, [{ a: choice('x'), b: choice('y') }, { a: choice('z') }, {}])
  })

  t.test('the page said nothing of errors', async (t) => t.same(errors, []))
}

type Test = Pick<typeof t, 'ok' | 'equal' | 'comment'>

interface Image {
  readonly name: string
  readonly bytes: Buffer
  /** Largest difference of any pixel, of 255. */
  readonly allowed: number
}

/** Pictures of many kinds, of the right size but for the last two. */
async function images(): Promise<[Image, ...Image[]]> {
  const stream = new PhiloxStream(0, 0)
  const noise = (channels: 3 | 4) =>
    sharp(
      Uint8Array.from({ length: 64 * 64 * channels }, () => stream.integer(256)),
      {
        raw: { width: 64, height: 64, channels },
      },
    )
  const smooth = (width: number, height: number) =>
    sharp(
      Uint8Array.from({ length: width * height * 3 }, (_, i) => waves(i, width, height)),
      {
        raw: { width, height, channels: 3 },
      },
    )
  return [
    { name: 'JPEG 4:2:0', bytes: await noise(3).jpeg().toBuffer(), allowed: 0 },
    { name: 'JPEG, progressive', bytes: await noise(3).jpeg({ progressive: true }).toBuffer(), allowed: 0 },
    { name: 'JPEG, grey', bytes: await noise(3).greyscale().jpeg().toBuffer(), allowed: 0 },
    {
      name: 'JPEG, turned by EXIF',
      bytes: await smooth(64, 64).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
      allowed: 0,
    },
    { name: 'WebP', bytes: await noise(3).webp().toBuffer(), allowed: 0 },
    { name: 'PNG', bytes: await noise(3).png().toBuffer(), allowed: 0 },
    { name: 'PNG with a palette', bytes: await smooth(64, 64).png({ palette: true }).toBuffer(), allowed: 0 },
    { name: 'PNG with transparency', bytes: await noise(4).png().toBuffer(), allowed: 1 },
    { name: 'PNG in Display P3', bytes: await noise(3).withIccProfile('p3').png().toBuffer(), allowed: 1 },
    { name: 'smooth picture, made smaller', bytes: await smooth(97, 151).png().toBuffer(), allowed: 4 },
    { name: 'smooth picture, made larger', bytes: await smooth(40, 40).png().toBuffer(), allowed: 8 },
  ]
}

function waves(i: number, width: number, height: number): number {
  const [channel, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
  return 128 + 100 * Math.sin((x / width) * (3 + channel)) * Math.cos((y / height) * 5)
}

function largestDifference(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length) return Number.POSITIVE_INFINITY
  return Math.max(...Array.from(ours, (value, i) => Math.abs(value - theirs[i])))
}

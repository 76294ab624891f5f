import t from 'tap'
import { PhiloxStream } from '../../src/engine/random.js'
import { type Frame, type Pixels, rounded, sample } from '../../src/face/sample.js'

const stream = new PhiloxStream(3, 1)

function noise(width: number, height: number, channels: 3 | 4 = 3): Pixels {
  const data = Uint8Array.from({ length: width * height * channels }, () => stream.integer(256))
  return { width, height, channels, data }
}

const whole = ({ width, height }: Pixels): Frame => ({ a: width, b: 0, c: 0, d: height, e: 0, f: 0 })
const color = ({ width, channels, data }: Pixels, x: number, y: number) => [
  ...data.subarray((y * width + x) * channels, (y * width + x) * channels + 3),
]

t.test('the whole image in its own size is the image, with and without alpha', async (t) => {
  for (const channels of [3, 4] as const) {
    const image = noise(7, 5, channels)
    const crop = rounded(sample(image, whole(image), 7, 5, 'gray'))
    const expected = Array.from({ length: 35 }, (_, i) => color(image, i % 7, Math.floor(i / 7))).flat()
    t.same([...crop], expected)
  }
})

t.test('shrunk by a whole number, each pixel is the mean of those that it covers', async (t) => {
  const image = noise(6, 6)
  const crop = sample(image, whole(image), 2, 2, 'gray')
  for (let i = 0; i < 4; i++) {
    const [x, y] = [3 * (i % 2), 3 * Math.floor(i / 2)]
    const covered = Array.from({ length: 9 }, (_, k) => color(image, x + (k % 3), y + Math.floor(k / 3)))
    const mean = [0, 1, 2].map((channel) => covered.reduce((sum, one) => sum + one[channel], 0) / 9)
    t.ok(mean.every((value, channel) => Math.abs(value - crop[3 * i + channel]) < 1e-4))
  }
})

t.test('enlarged, values lie between those of the pixels', async (t) => {
  const image = { width: 2, height: 1, channels: 3, data: Uint8Array.of(0, 0, 0, 100, 100, 100) } as const
  const crop = sample(image, whole(image), 4, 1, 'nearest')
  t.same([crop[0], crop[3], crop[6], crop[9]], [0, 25, 75, 100])
})

t.test('a quarter turn', async (t) => {
  const image = noise(3, 3)
  // To the right in the crop is down in the image.
  const turned = rounded(sample(image, { a: 0, b: 3, c: -3, d: 0, e: 3, f: 0 }, 3, 3, 'gray'))
  for (let row = 0; row < 3; row++)
    for (let column = 0; column < 3; column++) {
      const at = 3 * (row * 3 + column)
      t.same([...turned.subarray(at, at + 3)], color(image, 2 - row, column))
    }
})

t.test('outside the image it is gray, or the nearest pixel', async (t) => {
  const image = noise(2, 2)
  const frame = { a: 2, b: 0, c: 0, d: 2, e: -10, f: 0 }
  t.same([...sample(image, frame, 1, 1, 'gray')], [128, 128, 128])
  const [above, below] = [color(image, 0, 0), color(image, 0, 1)]
  const mean = above.map((value, channel) => (value + below[channel]) / 2)
  t.same([...sample(image, frame, 1, 1, 'nearest')], mean)
})

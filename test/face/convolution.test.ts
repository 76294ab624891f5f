import t from 'tap'
import { PhiloxStream } from '../../src/engine/random.js'
import { convolve, convolveChannels, filterOf } from '../../src/face/convolution.js'
import { type FeatureMap, maxPool, padChannels, rectify, type Window } from '../../src/face/featureMap.js'

const noise = new PhiloxStream(7, 1)
const values = (count: number) => Float32Array.from({ length: count }, () => noise.normal())
const map = (height: number, width: number, channels: number): FeatureMap => ({
  height,
  width,
  channels,
  data: values(height * width * channels),
})

/** The value at a place, 0 outside: the definition, one number at a time. */
function at({ height, width, channels, data }: FeatureMap, y: number, x: number, c: number): number {
  return y < 0 || x < 0 || y >= height || x >= width ? 0 : data[(y * width + x) * channels + c]
}

/** TensorFlow's documentation: SAME pads (out − 1)·stride + window − in, the smaller half before. */
function starts(size: number, window: number, { stride, padding }: Window): number[] {
  const count = Math.ceil((padding === 'SAME' ? size : size - window + 1) / stride)
  const padded = padding === 'SAME' ? Math.max((count - 1) * stride + window - size, 0) : 0
  return Array.from({ length: count }, (_, i) => i * stride - Math.floor(padded / 2))
}

const windows: readonly Window[] = [
  { height: 1, width: 1, stride: 1, padding: 'VALID' },
  { height: 3, width: 3, stride: 1, padding: 'SAME' },
  { height: 3, width: 3, stride: 2, padding: 'SAME' },
  { height: 5, width: 3, stride: 2, padding: 'VALID' },
  { height: 2, width: 2, stride: 3, padding: 'SAME' },
]

for (const window of windows) {
  const name = `${window.height}×${window.width}, stride ${window.stride}, ${window.padding}`

  t.test(`convolution ${name}: as its definition, for outputs that do not fill a group`, async (t) => {
    for (const [inputs, outputs] of [
      [3, 5],
      [4, 8],
      [1, 1],
    ]) {
      const x = map(7, 6, inputs)
      const weights = values(window.height * window.width * inputs * outputs)
      const bias = values(outputs)
      const y = convolve(x, filterOf(window, inputs, outputs, weights, bias))
      const expected = starts(x.height, window.height, window).flatMap((top) =>
        starts(x.width, window.width, window).flatMap((left) =>
          Array.from({ length: outputs }, (_, o) => {
            let sum = bias[o]
            for (let i = 0; i < window.height; i++)
              for (let j = 0; j < window.width; j++)
                for (let c = 0; c < inputs; c++)
                  sum +=
                    at(x, top + i, left + j, c) * weights[((i * window.width + j) * inputs + c) * outputs + o]
            return sum
          }),
        ),
      )
      t.equal(y.data.length, expected.length)
      t.ok(
        expected.every((value, i) => Math.abs(value - y.data[i]) < 1e-5),
        `${inputs} → ${outputs} channels`,
      )
    }
  })

  t.test(`one filter a channel, and the largest value, ${name}`, async (t) => {
    const x = map(7, 6, 3)
    const weights = values(window.height * window.width * 3)
    const y = convolveChannels(x, window, weights)
    const largest = maxPool(x, window)
    let i = 0
    for (const top of starts(x.height, window.height, window))
      for (const left of starts(x.width, window.width, window))
        for (let c = 0; c < 3; c++, i++) {
          let [sum, most] = [0, Number.NEGATIVE_INFINITY]
          for (let k = 0; k < window.height * window.width; k++) {
            const [row, column] = [top + Math.floor(k / window.width), left + (k % window.width)]
            sum += at(x, row, column, c) * weights[k * 3 + c]
            const isInside = row >= 0 && column >= 0 && row < x.height && column < x.width
            if (isInside) most = Math.max(most, at(x, row, column, c))
          }
          if (Math.abs(sum - y.data[i]) > 1e-5) t.fail(`filter at ${i}: ${y.data[i]}, expected ${sum}`)
          if (most !== largest.data[i]) t.fail(`largest at ${i}: ${largest.data[i]}, expected ${most}`)
        }
    t.same([y.data.length, largest.data.length], [i, i])
  })
}

t.test('channels of zeros are added before and after', async (t) => {
  const x = map(1, 2, 2)
  t.same([...padChannels(x, 1, 2).data], [0, x.data[0], x.data[1], 0, 0, 0, x.data[2], x.data[3], 0, 0])
})

t.test('negative values are multiplied by the slope of their channel', async (t) => {
  const x = { height: 1, width: 2, channels: 2, data: Float32Array.of(-1, -1, 2, -4) }
  t.same([...rectify(x, Float32Array.of(0, 0.5)).data], [-0, -0.5, 2, -2])
})

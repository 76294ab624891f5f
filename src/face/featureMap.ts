/**
 * What a layer of a convolutional network makes of one image: row by row, and in each pixel channel by channel. Sums
 * are taken in double precision and in a fixed order: every platform gets the same bits.
 */
export interface FeatureMap {
  readonly height: number
  readonly width: number
  readonly channels: number
  /** height·width·channels values. */
  readonly data: Float32Array
}

export interface Window {
  readonly height: number
  readonly width: number
  readonly stride: number
  /** TensorFlow's rules: `SAME` covers every input pixel and pads with zeros, `VALID` stays inside. */
  readonly padding: 'SAME' | 'VALID'
}

/** Of one axis: how many outputs there are, and where the window of the first one starts. */
export interface Steps {
  readonly count: number
  readonly start: number
}

export function steps(size: number, kernel: number, { stride, padding }: Window): Steps {
  if (padding === 'VALID') return { count: Math.floor((size - kernel) / stride) + 1, start: 0 }
  const count = Math.ceil(size / stride)
  const padded = Math.max((count - 1) * stride + kernel - size, 0)
  return { count, start: -Math.floor(padded / 2) }
}

/** y = a + b, element by element. `y` may be the values of `a` or `b`. */
export function add(
  a: FeatureMap,
  b: FeatureMap,
  y: Float32Array = new Float32Array(a.data.length),
): FeatureMap {
  for (let i = 0; i < y.length; i++) y[i] = a.data[i] + b.data[i]
  return { ...a, data: y }
}

/** PReLU: y = x for x ≥ 0, else slopes[channel]·x. Slopes of 0 are those of ReLU. `y` may be the values of `x`. */
export function rectify(
  x: FeatureMap,
  slopes: Float32Array,
  y: Float32Array = new Float32Array(x.data.length),
): FeatureMap {
  const { channels, data } = x
  for (let at = 0; at < y.length; at += channels) {
    for (let c = 0; c < channels; c++) {
      const value = data[at + c]
      y[at + c] = value < 0 ? slopes[c] * value : value
    }
  }
  return { ...x, data: y }
}

/** y = 1 / (1 + exp(−x)), element by element. */
export function squash(x: FeatureMap): FeatureMap {
  return { ...x, data: x.data.map((value) => 1 / (1 + Math.exp(-value))) }
}

/** Adds channels of zeros before and after. */
export function padChannels(x: FeatureMap, before: number, after: number): FeatureMap {
  const channels = before + x.channels + after
  const data = new Float32Array(x.height * x.width * channels)
  for (let pixel = 0; pixel < x.height * x.width; pixel++) {
    const values = x.data.subarray(pixel * x.channels, (pixel + 1) * x.channels)
    data.set(values, pixel * channels + before)
  }
  return { ...x, channels, data }
}

/** The largest value of each window; what lies outside the image does not count. */
export function maxPool(x: FeatureMap, kernel: Window): FeatureMap {
  const { count: height, start: top } = steps(x.height, kernel.height, kernel)
  const { count: width, start: left } = steps(x.width, kernel.width, kernel)
  const { channels } = x
  const data = new Float32Array(height * width * channels).fill(Number.NEGATIVE_INFINITY)
  for (let pixel = 0; pixel < height * width; pixel++) {
    const row = top + Math.floor(pixel / width) * kernel.stride
    const column = left + (pixel % width) * kernel.stride
    for (let y = Math.max(0, row); y < Math.min(row + kernel.height, x.height); y++) {
      for (let x_ = Math.max(0, column); x_ < Math.min(column + kernel.width, x.width); x_++) {
        const from = (y * x.width + x_) * channels
        const to = pixel * channels
        for (let c = 0; c < channels; c++)
          if (x.data[from + c] > data[to + c]) data[to + c] = x.data[from + c]
      }
    }
  }
  return { height, width, channels, data }
}

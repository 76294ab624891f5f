import { type FeatureMap, steps, type Window } from './featureMap.js'

/** Outputs that are summed together, each in a register. */
const GROUP = 4

/** A layer's weights, in the order in which `convolve` reads them. */
export interface Filter extends Window {
  readonly inputs: number
  readonly outputs: number
  /** [⌈outputs / 4⌉, height·width·inputs, 4], with zeros for outputs that do not exist. */
  readonly weights: Float32Array
  /** [4·⌈outputs / 4⌉]. */
  readonly bias: Float64Array
}

/**
 * @param weights [height, width, inputs, outputs], as TensorFlow stores them
 * @param bias [outputs]
 */
export function filterOf(
  kernel: Window,
  inputs: number,
  outputs: number,
  weights: Float32Array,
  bias: Float32Array,
): Filter {
  const depth = kernel.height * kernel.width * inputs
  const groups = Math.ceil(outputs / GROUP)
  const packed = new Float32Array(groups * depth * GROUP)
  for (let k = 0; k < depth; k++) {
    for (let o = 0; o < outputs; o++)
      packed[(Math.floor(o / GROUP) * depth + k) * GROUP + (o % GROUP)] = weights[k * outputs + o]
  }
  const padded = new Float64Array(groups * GROUP)
  padded.set(bias)
  return { ...kernel, inputs, outputs, weights: packed, bias: padded }
}

/** y[p, o] = bias[o] + Σ over window and inputs of x·w. */
export function convolve(x: FeatureMap, filter: Filter): FeatureMap {
  const { outputs, stride } = filter
  const { count: height, start: top } = steps(x.height, filter.height, filter)
  const { count: width, start: left } = steps(x.width, filter.width, filter)
  const depth = filter.height * filter.width * x.channels
  const pixels = height * width
  // With room for a second pixel beside the last one.
  const data = new Float32Array((pixels + 1) * outputs)
  const [rowA, rowB] = [new Float64Array(depth), new Float64Array(depth)]
  // Two pixels at a time: each weight that is read serves both.
  for (let pixel = 0; pixel < pixels; pixel += 2) {
    const next = Math.min(pixel + 1, pixels - 1)
    gather(x, filter, rowA, top + Math.floor(pixel / width) * stride, left + (pixel % width) * stride)
    gather(x, filter, rowB, top + Math.floor(next / width) * stride, left + (next % width) * stride)
    multiply(rowA, rowB, filter, data, pixel * outputs)
  }
  return { height, width, channels: outputs, data: data.subarray(0, pixels * outputs) }
}

/** The inputs of one output pixel, zeros where the window leaves the image. */
function gather(x: FeatureMap, kernel: Window, row: Float64Array, top: number, left: number): void {
  const { channels, data } = x
  let to = 0
  for (let y = top; y < top + kernel.height; y++) {
    for (let column = left; column < left + kernel.width; column++) {
      const isInside = y >= 0 && y < x.height && column >= 0 && column < x.width
      const from = (y * x.width + column) * channels
      for (let c = 0; c < channels; c++) row[to++] = isInside ? data[from + c] : 0
    }
  }
}

/** Two rows times all weights. The outputs of the second row stand behind those of the first. */
function multiply(
  rowA: Float64Array,
  rowB: Float64Array,
  { weights, bias, outputs }: Filter,
  data: Float32Array,
  at: number,
): void {
  const depth = rowA.length
  for (let o = 0, w = 0; o < outputs; o += GROUP) {
    let a0 = bias[o]
    let a1 = bias[o + 1]
    let a2 = bias[o + 2]
    let a3 = bias[o + 3]
    let b0 = a0
    let b1 = a1
    let b2 = a2
    let b3 = a3
    for (let k = 0; k < depth; k++, w += GROUP) {
      const a = rowA[k]
      const b = rowB[k]
      const w0 = weights[w]
      const w1 = weights[w + 1]
      const w2 = weights[w + 2]
      const w3 = weights[w + 3]
      a0 += a * w0
      a1 += a * w1
      a2 += a * w2
      a3 += a * w3
      b0 += b * w0
      b1 += b * w1
      b2 += b * w2
      b3 += b * w3
    }
    const count = outputs - o
    put(data, at + o, count, a0, a1, a2, a3)
    put(data, at + outputs + o, count, b0, b1, b2, b3)
  }
}

/** Writes the first `count` of the numbers. */
function put(data: Float32Array, at: number, count: number, a: number, b: number, c: number, d: number) {
  data[at] = a
  if (count > 1) data[at + 1] = b
  if (count > 2) data[at + 2] = c
  if (count > 3) data[at + 3] = d
}

/**
 * One filter a channel: y[p, c] = Σ over the window of x[·, c]·w[·, c]. A row of outputs is summed at a time, tap by
 * tap: each tap reads a row of the input in order.
 * @param weights [height, width, channels]
 */
export function convolveChannels(x: FeatureMap, kernel: Window, weights: Float32Array): FeatureMap {
  const { count: height, start: top } = steps(x.height, kernel.height, kernel)
  const { count: width, start: left } = steps(x.width, kernel.width, kernel)
  const { channels } = x
  const data = new Float32Array(height * width * channels)
  const sums = new Float64Array(width * channels)
  for (let row = 0; row < height; row++) {
    sums.fill(0)
    for (let tap = 0; tap < kernel.height * kernel.width; tap++) {
      const y = top + row * kernel.stride + Math.floor(tap / kernel.width)
      if (y < 0 || y >= x.height) continue
      const shift = left + (tap % kernel.width)
      addTap(sums, x, y, shift, kernel.stride, weights.subarray(tap * channels, (tap + 1) * channels))
    }
    data.set(sums, row * width * channels)
  }
  return { height, width, channels, data }
}

/** sums[column, c] += x[y, shift + stride·column, c]·w[c], where that is in the image. */
function addTap(
  sums: Float64Array,
  { width, channels, data }: FeatureMap,
  y: number,
  shift: number,
  stride: number,
  w: Float32Array,
): void {
  const columns = sums.length / channels
  const first = Math.max(0, Math.ceil(-shift / stride))
  const end = Math.min(columns, Math.ceil((width - shift) / stride))
  for (let column = first; column < end; column++) {
    const from = (y * width + shift + stride * column) * channels
    const to = column * channels
    for (let c = 0; c < channels; c++) sums[to + c] += data[from + c] * w[c]
  }
}

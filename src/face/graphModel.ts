import * as z from 'zod'
import { fromHalves } from '../engine/float16.js'
import { convolve, convolveChannels, type Filter, filterOf } from './convolution.js'
import { add, type FeatureMap, maxPool, padChannels, rectify, squash, type Window } from './featureMap.js'

/**
 * A convolutional network in the graph format of TensorFlow.js, run in plain TypeScript: the two small networks
 * that find faces. The same bits come out in Node and in a page, on any machine, without another runtime with kernels
 * of its own for each platform.
 */

const weightSchema = z.object({
  name: z.string(),
  shape: z.array(z.int().nonnegative()),
  dtype: z.enum(['float32', 'int32']),
  quantization: z.object({ dtype: z.literal('float16') }).optional(),
})
const nodeSchema = z.object({
  name: z.string(),
  op: z.string(),
  input: z.array(z.string()).default([]),
  attr: z.record(z.string(), z.unknown()).default({}),
})
const fileSchema = z.object({
  modelTopology: z.object({ node: z.array(nodeSchema) }),
  weightsManifest: z.array(z.object({ weights: z.array(weightSchema) })),
})

type Node = z.output<typeof nodeSchema>

interface Constant {
  readonly shape: readonly number[]
  readonly values: Float32Array | Int32Array
}

/** Base64 of the attributes' texts. */
const TEXTS: Readonly<Record<string, string>> = {
  U0FNRQ: 'SAME',
  VkFMSUQ: 'VALID',
  Qmlhc0FkZA: 'BiasAdd',
  UmVsdQ: 'Relu',
  UHJlbHU: 'Prelu',
}

const attributes = {
  text: z.object({ s: z.string() }).transform(({ s }) => textOf(s)),
  texts: z.object({ list: z.object({ s: z.array(z.string()) }) }).transform(({ list }) => list.s.map(textOf)),
  numbers: z.object({ list: z.object({ i: z.array(z.coerce.number()) }) }).transform(({ list }) => list.i),
}

function textOf(base64: string): string {
  return TEXTS[base64.replace(/=+$/, '')] ?? base64
}

export class GraphModel {
  readonly #nodes: ReadonlyMap<string, Node>
  readonly #constants: ReadonlyMap<string, Constant>
  /** How many nodes read a node. */
  readonly #readers = new Map<string, number>()
  /** Weights in the order in which they are read. */
  readonly #filters = new Map<string, Filter>()

  /**
   * @param topology the parsed model.json
   * @param weights its .bin file
   * @throws ZodError if it is no such file; RangeError if the weights end early
   */
  constructor(topology: unknown, weights: Uint8Array) {
    const { modelTopology, weightsManifest } = fileSchema.parse(topology)
    this.#nodes = new Map(modelTopology.node.map((node) => [node.name, node]))
    for (const name of modelTopology.node.flatMap(({ input }) => input))
      this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1)
    this.#constants = readConstants(weightsManifest, weights)
  }

  /** @param input the image, one map; @returns the maps of the named nodes. @throws Error that names an unknown op */
  run(input: FeatureMap, outputs: readonly string[]): FeatureMap[] {
    const known = new Map<string, FeatureMap>()
    const compute = (name: string): FeatureMap => {
      const before = known.get(name)
      if (before) return before
      const node = this.#nodes.get(name)
      if (!node) throw new Error(`graph model: no node ${name}`)
      const result = node.op === 'Placeholder' ? input : this.#apply(node, compute)
      known.set(name, result)
      return result
    }
    return outputs.map(compute)
  }

  #apply(node: Node, compute: (name: string) => FeatureMap): FeatureMap {
    const [first, second] = node.input
    switch (node.op) {
      case '_FusedConv2D':
        return this.#activated(node, convolve(compute(first), this.#filter(node)))
      case 'DepthwiseConv2dNative': {
        const { shape, values } = this.#constant(second)
        if (shape[3] !== 1) throw new Error(`graph model: ${node.name} has ${shape[3]} filters a channel`)
        return convolveChannels(compute(first), windowOf(node, shape), values as Float32Array)
      }
      case 'AddV2':
        return add(compute(first), compute(second), this.#reusable(second, compute))
      case 'Relu':
        return this.#rectified(first, compute, null)
      case 'Prelu':
        return this.#rectified(first, compute, second)
      case 'Sigmoid':
        return squash(compute(first))
      case 'MaxPool':
        return maxPool(compute(first), windowOf(node, attributes.numbers.parse(node.attr.ksize).slice(1)))
      case 'Pad': {
        const amounts = this.#constant(second).values
        if (amounts.subarray(0, 6).some((amount) => amount !== 0))
          throw new Error(`graph model: ${node.name} pads more than channels`)
        return padChannels(compute(first), amounts[6], amounts[7])
      }
      case 'Reshape':
        return reshape(compute(first), Number(this.#constant(second).values.at(-1)))
      case 'Identity':
        return compute(first)
      default:
        throw new Error(`graph model: op ${node.op} is not supported`)
    }
  }

  #filter(node: Node): Filter {
    const known = this.#filters.get(node.name)
    if (known) return known
    const { shape, values } = this.#constant(node.input[1])
    const bias = this.#constant(node.input[2]).values
    const window = windowOf(node, shape)
    const made = filterOf(window, shape[2], shape[3], values as Float32Array, bias as Float32Array)
    this.#filters.set(node.name, made)
    return made
  }

  #activated(node: Node, x: FeatureMap): FeatureMap {
    const [, activation] = attributes.texts.parse(node.attr.fused_ops)
    if (activation === undefined) return x
    if (activation === 'Relu') return rectify(x, new Float32Array(x.channels), x.data)
    if (activation === 'Prelu')
      return rectify(x, this.#constant(node.input[3]).values as Float32Array, x.data)
    throw new Error(`graph model: activation ${activation} is not supported`)
  }

  #rectified(input: string, compute: (name: string) => FeatureMap, slopes: string | null): FeatureMap {
    const x = compute(input)
    const values = slopes ? (this.#constant(slopes).values as Float32Array) : new Float32Array(x.channels)
    return rectify(x, values, this.#reusable(input, compute))
  }

  /** The memory of a node that nobody else reads. */
  #reusable(name: string, compute: (name: string) => FeatureMap): Float32Array | undefined {
    const isShared = this.#readers.get(name)! > 1 || this.#nodes.get(name)!.op === 'Placeholder'
    return isShared ? undefined : compute(name).data
  }

  #constant(name: string): Constant {
    const constant = this.#constants.get(name)
    if (!constant) throw new Error(`graph model: no constant ${name}`)
    return constant
  }
}

function windowOf({ attr }: Node, [height, width]: readonly number[]): Window {
  const [, stride] = attributes.numbers.parse(attr.strides)
  const padding = z.enum(['SAME', 'VALID']).parse(attributes.text.parse(attr.padding))
  return { height, width, stride, padding }
}

/** The values in their order, with `channels` of them a pixel; a negative number asks for one row of all. */
function reshape({ data }: FeatureMap, channels: number): FeatureMap {
  const width = channels > 0 ? data.length / channels : 1
  return { height: 1, width, channels: data.length / width, data }
}

function readConstants(
  manifest: z.output<typeof fileSchema>['weightsManifest'],
  bytes: Uint8Array,
): Map<string, Constant> {
  const constants = new Map<string, Constant>()
  let at = 0
  for (const { name, shape, dtype, quantization } of manifest.flatMap(({ weights }) => weights)) {
    const count = shape.reduce((product, size) => product * size, 1)
    const width = quantization ? 2 : 4
    // A copy, because elements begin at multiples of their size.
    const { buffer } = new Uint8Array(bytes.subarray(at, at + count * width))
    at += count * width
    if (buffer.byteLength !== count * width) throw new RangeError(`graph model: the weights end in ${name}`)
    const values = quantization
      ? fromHalves(new Uint16Array(buffer))
      : dtype === 'int32'
        ? new Int32Array(buffer)
        : new Float32Array(buffer)
    constants.set(name, { shape, values })
  }
  return constants
}

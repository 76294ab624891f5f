import { LimitError } from './errors.js'
import { byteLength, type DType, type HostNumbers } from './hostArrays.js'
import type { Storage } from './memory.js'
import { PhiloxStream } from './random.js'
import type { Runtime } from './runtime.js'
import { elementCount, Parameter, Tensor } from './tensor.js'

/** Initial values of a parameter. `truncatedNormal` is cut at ±2, not at ±2σ (as PyTorch's trunc_normal_ default). */
export type Initialisation =
  | { kind: 'constant'; value: number }
  | { kind: 'uniform'; bound: number }
  | { kind: 'normal' | 'truncatedNormal'; std: number }
  | { kind: 'values'; values: HostNumbers }

export interface ParameterSpec {
  readonly name: string
  readonly shape: readonly number[]
  readonly init: Initialisation
  /** Frozen parameters get no gradient and no optimizer state. */
  readonly frozen?: boolean
}

/**
 * Elements to which every slot is rounded up: 256 bytes of f16, the strictest storage-offset alignment in
 * use.
 */
export const SLOT_ALIGNMENT = 128

/** One part of the arena, within the adapter's binding limit. */
export interface ArenaChunk {
  readonly values: Tensor
  readonly gradients: Tensor
  readonly slots: readonly ArenaSlot[]
}

export interface ArenaSlot {
  readonly parameter: Parameter
  /** First element in the chunk. */
  readonly offset: number
}

/**
 * All parameters of a model in a few large buffers, and their gradients in buffers of the same layout, so that the
 * optimizer needs few dispatches. Frozen parameters have separate buffers.
 */
export class ParameterArena {
  readonly chunks: readonly ArenaChunk[]
  readonly #byName = new Map<string, Parameter>()

  constructor(
    readonly runtime: Runtime,
    specs: readonly ParameterSpec[],
  ) {
    const trainable = specs.filter((spec) => !spec.frozen)
    this.chunks = splitIntoChunks(trainable, runtime.memory.maxBindingBytes).map((part) => this.#chunk(part))
    for (const spec of specs) if (spec.frozen) this.#add(this.#frozen(spec))
    // Names in the order of the specs: that is the order of the state dict.
    const unordered = new Map(this.#byName)
    this.#byName.clear()
    for (const { name } of specs) this.#byName.set(name, unordered.get(name)!)
  }

  get parameters(): readonly Parameter[] {
    return [...this.#byName.values()]
  }

  get(name: string): Parameter {
    const parameter = this.#byName.get(name)
    if (!parameter) throw new Error(`there is no parameter ${name}`)
    return parameter
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** Draws initial values; each parameter has its own stream, so adding one does not change the others. */
  initialise(specs: readonly ParameterSpec[], seed: number): void {
    for (const spec of specs) this.runtime.write(this.get(spec.name), drawInitial(spec, seed))
  }

  /** Resets gradients: the next backward overwrites them. */
  zeroGrad(): void {
    for (const parameter of this.parameters) {
      parameter.gradientWritten = false
      parameter.gradientLent = false
    }
  }

  #add(parameter: Parameter): Parameter {
    if (this.#byName.has(parameter.name)) throw new Error(`two parameters are named ${parameter.name}`)
    this.#byName.set(parameter.name, parameter)
    return parameter
  }

  #frozen(spec: ParameterSpec): Parameter {
    const { parts } = allocatePersistent(this.runtime, [spec.shape])
    return new Parameter(this.runtime, parts[0].storage, spec.shape, spec.name, null)
  }

  #chunk(specs: readonly ParameterSpec[]): ArenaChunk {
    const shapes = specs.map((spec) => spec.shape)
    const values = allocatePersistent(this.runtime, shapes)
    const gradients = allocatePersistent(this.runtime, shapes)
    const slots = specs.map((spec, i) => {
      const { storage } = values.parts[i]
      const parameter = new Parameter(this.runtime, storage, spec.shape, spec.name, gradients.parts[i])
      return { parameter: this.#add(parameter), offset: storage.byteOffset / 4 }
    })
    return { values: values.whole, gradients: gradients.whole, slots }
  }
}

/** A new zeroed buffer, as a whole and as aligned parts. It lives as long as the runtime. */
export function allocatePersistent(
  runtime: Runtime,
  shapes: readonly (readonly number[])[],
  dtype: DType = 'f32',
): { whole: Tensor; parts: Tensor[] } {
  const offsets: number[] = []
  let elements = 0
  for (const shape of shapes) {
    offsets.push(elements)
    elements += slotElements(shape)
  }
  const { buffer, id } = runtime.memory.createBuffer(byteLength(dtype, elements))
  const view = (offset: number, shape: readonly number[]) => {
    const storage: Storage = {
      buffer,
      bufferId: id,
      byteOffset: byteLength(dtype, offset),
      byteLength: byteLength(dtype, elementCount(shape)),
      alive: true,
      permanent: true,
    }
    return new Tensor(runtime, storage, shape, dtype)
  }
  return { whole: view(0, [elements]), parts: shapes.map((shape, i) => view(offsets[i], shape)) }
}

function slotElements(shape: readonly number[]): number {
  return Math.ceil(elementCount(shape) / SLOT_ALIGNMENT) * SLOT_ALIGNMENT
}

function splitIntoChunks(specs: readonly ParameterSpec[], maxBytes: number): ParameterSpec[][] {
  const chunks: ParameterSpec[][] = []
  let room = 0
  for (const spec of specs) {
    const bytes = 4 * slotElements(spec.shape)
    if (bytes > maxBytes) {
      throw new LimitError(
        `parameter ${spec.name} has ${bytes} bytes; this adapter binds at most ${maxBytes}`,
      )
    }
    if (bytes > room) {
      chunks.push([])
      room = maxBytes
    }
    chunks.at(-1)!.push(spec)
    room -= bytes
  }
  return chunks
}

/** FNV-1a over the name: a stream number that does not depend on the order of parameters. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

function drawInitial({ name, shape, init }: ParameterSpec, seed: number): HostNumbers {
  const values = new Float32Array(elementCount(shape))
  if (init.kind === 'values') return init.values
  if (init.kind === 'constant') return values.fill(init.value)
  const stream = new PhiloxStream(seed, streamOf(name))
  for (let i = 0; i < values.length; i++) values[i] = draw(stream, init)
  return values
}

function draw(stream: PhiloxStream, init: Exclude<Initialisation, { kind: 'values' | 'constant' }>): number {
  if (init.kind === 'uniform') return (2 * stream.uniform() - 1) * init.bound
  let value = init.std * stream.normal()
  if (init.kind === 'truncatedNormal') while (Math.abs(value) > 2) value = init.std * stream.normal()
  return value
}

import * as z from 'zod'
import { UserError } from '../../errors.js'
import {
  bytesPerElement,
  decodeValues,
  isStoredType,
  type StoredType,
  type TensorArray,
} from './storedTypes.js'

/**
 * The safetensors format: u64 header length, JSON header {name: {dtype, shape, data_offsets}, __metadata__},
 * then the tensors' bytes without gaps, little-endian. Written in pieces and read tensor by tensor, so files
 * may have any size.
 */

export interface SafeTensor {
  readonly shape: readonly number[]
  /** The array type is the tensor's type: f32, i32, u32 or u8. */
  readonly data: TensorArray
  /** The type in the file, which may differ from that of `data`; undefined for a tensor to be written. */
  readonly type?: string
}

export interface SafetensorsFile {
  readonly tensors: Map<string, SafeTensor>
  readonly metadata: Readonly<Record<string, string>>
}

/** The position of one tensor's bytes in the file. */
export interface TensorEntry {
  readonly name: string
  readonly dtype: StoredType
  readonly shape: readonly number[]
  readonly offset: number
  readonly length: number
}

export interface SafetensorsHeader {
  readonly entries: readonly TensorEntry[]
  readonly metadata: Readonly<Record<string, string>>
}

/** The format's limit on the header. */
const MAX_HEADER = 100_000_000

const headerSchema = z.object({ __metadata__: z.record(z.string(), z.string()).optional() }).catchall(
  z.object({
    dtype: z.string(),
    shape: z.array(z.int().nonnegative()),
    data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
  }),
)

function product(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1)
}

function storedType(data: TensorArray): StoredType {
  if (data instanceof Float32Array) return 'F32'
  if (data instanceof Int32Array) return 'I32'
  return data instanceof Uint32Array ? 'U32' : 'U8'
}

function checkShape(name: string, { shape, data }: SafeTensor): void {
  if (product(shape) !== data.length)
    throw new RangeError(
      `safetensors: ${name} has ${data.length} values; its shape [${shape}] needs ${product(shape)}`,
    )
}

/**
 * The file in pieces: the header, then one piece per tensor (views of the tensors' memory). Byte tensors come
 * last, so that all others start at multiples of four.
 */
export function* encodeSafetensors(
  tensors: ReadonlyMap<string, SafeTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const isBytes = (tensor: SafeTensor) => Number(tensor.data instanceof Uint8Array)
  const ordered = [...tensors].sort(([, a], [, b]) => isBytes(a) - isBytes(b))
  for (const [name, tensor] of ordered) checkShape(name, tensor)
  const described = ordered.map(([name, { shape, data }]) => ({ name, shape, type: storedType(data) }))
  yield encodeHeader(described, metadata)
  for (const [, { data }] of ordered) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** A tensor whose bytes are written later. */
export interface DescribedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly type: StoredType
}

/** The header of a file with these tensors in this order. JSON, padded so that the data starts at a multiple of eight. */
export function encodeHeader(
  tensors: readonly DescribedTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata }
  let offset = 0
  for (const { name, shape, type } of tensors) {
    const end = offset + product(shape) * bytesPerElement[type]
    header[name] = { dtype: type, shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const padded = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(8 + padded).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true)
  bytes.set(json, 8)
  return bytes
}

/** Length of the JSON header, from the first eight bytes. @throws UserError that begins with `file` */
export function headerLength(start: Uint8Array, fileSize: number, file: string): number {
  if (start.length < 8) throw new UserError(`${file}: not a safetensors file: it has only ${fileSize} bytes`)
  const length = Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true))
  const foreign = foreignFile(start)
  if (foreign && 8 + length > Math.min(fileSize, MAX_HEADER))
    throw new UserError(`${file}: not a safetensors file but ${foreign}`)
  if (length > MAX_HEADER)
    throw new UserError(`${file}: not a safetensors file: its header would have ${length} bytes`)
  if (8 + length > fileSize)
    throw new UserError(`${file}: truncated: the header ends at byte ${8 + length}, the file at ${fileSize}`)
  return length
}

/** The kind of another file format with these first bytes, and what to do with it. */
function foreignFile(start: Uint8Array): string | null {
  const text = String.fromCharCode(...start)
  const isPickle = start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5
  if (text.startsWith('version ')) return 'a Git LFS pointer. Fetch the file with: git lfs pull'
  if (text.startsWith('PK\x03\x04') || isPickle)
    return 'a PyTorch checkpoint. Convert it first with: node dist/train.js convert'
  if (/^<(!doc|html|\?xml)/i.test(text)) return 'a web page, perhaps from a failed download'
  if (text.startsWith('\x1f\x8b')) return 'a gzip file. Decompress it first'
  return null
}

/** Parses the JSON header and checks types, shapes and offsets against the size of the file. */
export function parseHeader(json: Uint8Array, fileSize: number, file: string): SafetensorsHeader {
  const { __metadata__: metadata = {}, ...listed } = parseHeaderJson(json, file)
  const dataStart = 8 + json.length
  const entries = Object.entries(listed)
    .map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [start, end],
        },
      ]): TensorEntry => {
        const where = `${file}: tensor ${name}`
        if (!isStoredType(dtype))
          throw new UserError(
            `${where}: type ${dtype} is not supported; expected ${Object.keys(bytesPerElement).join(', ')}`,
          )
        const wanted = product(shape) * bytesPerElement[dtype]
        if (end - start !== wanted)
          throw new UserError(
            `${where}: ${dtype} [${shape}] needs ${wanted} bytes, but its offsets span ${end - start}`,
          )
        return { name, dtype, shape, offset: dataStart + start, length: wanted }
      },
    )
    .sort((a, b) => a.offset - b.offset || a.length - b.length)
  checkLayout(entries, dataStart, fileSize, file)
  return { entries, metadata }
}

function parseHeaderJson(json: Uint8Array, file: string): z.output<typeof headerSchema> {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(json)
    value = JSON.parse(text)
  } catch (error) {
    throw new UserError(
      `${file}: not a safetensors file: the header is not JSON (${(error as Error).message})`,
    )
  }
  const twice = repeatedKey(text)
  if (twice !== null) throw new UserError(`${file}: damaged safetensors header: key "${twice}" is repeated`)
  const result = headerSchema.safeParse(value)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]
  throw new UserError(`${file}: damaged safetensors header at "${path.join('.')}": ${message}`)
}

/** A repeated key in this JSON text: JSON.parse keeps the last value, other readers the first. */
function repeatedKey(json: string): string | null {
  const open: Set<string>[] = []
  let last = ''
  for (const token of jsonTokens(json)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (token !== ':') last = token
    else {
      const key: string = JSON.parse(last)
      if (open.at(-1)?.has(key)) return key
      open.at(-1)?.add(key)
    }
  }
  return null
}

/** Braces, colons and strings of valid JSON. A regular expression runs out of stack on a long string. */
function* jsonTokens(json: string): Generator<string> {
  for (let at = 0; at < json.length; at++) {
    const token = json[at]
    if (token === '{' || token === '}' || token === ':') yield token
    if (token !== '"') continue
    const start = at
    for (at++; json[at] !== '"'; at++) if (json[at] === '\\') at++
    yield json.slice(start, at + 1)
  }
}

function checkLayout(entries: readonly TensorEntry[], start: number, fileSize: number, file: string): void {
  let at = start
  for (const { name, offset, length } of entries) {
    if (offset !== at)
      throw new UserError(
        `${file}: tensor ${name} ${offset < at ? 'overlaps' : 'leaves a gap after'} the previous tensor: ` +
          `it starts at byte ${offset}, expected ${at}`,
      )
    at += length
  }
  if (at > fileSize)
    throw new UserError(`${file}: truncated: its tensors end at byte ${at}, the file at ${fileSize}`)
  if (at < fileSize)
    throw new UserError(
      `${file}: ${fileSize - at} bytes follow the last tensor; expected the end of the file`,
    )
}

/**
 * The values of a tensor from its bytes. f16, bf16 and f64 become f32, booleans become u8, and other integers
 * become i32 or u32. The values may share memory with `bytes`.
 *
 * @throws UserError if an integer does not fit
 */
export function decodeTensor(entry: TensorEntry, bytes: Uint8Array, file: string): SafeTensor {
  const data = decodeValues(entry.dtype, bytes, `${file}: tensor ${entry.name}`)
  return { shape: entry.shape, data, type: entry.dtype }
}

/** The tensors of a file in memory. @throws UserError that begins with `file`, if the file is damaged */
export function decodeSafetensors(bytes: Uint8Array, file: string): SafetensorsFile {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, file)
  const { entries, metadata } = parseHeader(bytes.subarray(8, 8 + length), bytes.length, file)
  const tensors = new Map(
    entries.map((entry) => [
      entry.name,
      decodeTensor(entry, new Uint8Array(bytes.subarray(entry.offset, entry.offset + entry.length)), file),
    ]),
  )
  return { tensors, metadata }
}

/** @throws UserError that begins with `name`, if a value is NaN or infinite */
export function assertFinite(name: string, data: ArrayLike<number>): void {
  for (let at = 0; at < data.length; at++)
    if (!Number.isFinite(data[at]))
      throw new UserError(`${name}: value ${at} is ${data[at]}; expected finite numbers`)
}

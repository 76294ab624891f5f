import { readFileSync } from 'node:fs'
import { type ByteFile, endsBefore } from '../../src/train/checkpoint/byteFile.js'

// Pickles and archives, opcode by opcode and field by field: also those that PyTorch would never write.

export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../fixtures/weights/${name}`, import.meta.url)))
}

export function memoryFile(name: string, bytes: Uint8Array): ByteFile {
  return {
    name,
    size: bytes.length,
    async read(offset, length) {
      if (offset + length > bytes.length) throw endsBefore(name, offset + length, bytes.length)
      return new Uint8Array(bytes.subarray(offset, offset + length))
    },
  }
}

export function joined(...pieces: (Uint8Array | number | readonly number[])[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(pieces.map((piece) => Uint8Array.from(typeof piece === 'number' ? [piece] : piece))),
  )
}

function numbers(size: 1 | 2 | 4 | 8, ...values: number[]): Uint8Array {
  const bytes = Buffer.alloc(size * values.length)
  values.forEach((value, i) => {
    if (size === 8) bytes.writeBigUInt64LE(BigInt(value), 8 * i)
    else bytes.writeUIntLE(value, i * size, size)
  })
  return new Uint8Array(bytes)
}

export const u16 = (...values: number[]): Uint8Array => numbers(2, ...values)
export const u32 = (...values: number[]): Uint8Array => numbers(4, ...values)
export const u64 = (...values: number[]): Uint8Array => numbers(8, ...values)

// ---- Pickles: https://docs.python.org/3/library/pickletools.html ----

export const PROTO = Uint8Array.of(0x80, 2)
export const STOP = 0x2e
export const MARK = 0x28
export const POP = 0x30
export const NONE = 0x4e
export const EMPTY_LIST = 0x5d
export const APPEND = 0x61
export const APPENDS = 0x65
export const EMPTY_DICT = 0x7d
export const SETITEM = 0x73
export const SETITEMS = 0x75
export const EMPTY_TUPLE = 0x29
export const TUPLE = 0x74
export const TUPLE1 = 0x85
export const TUPLE2 = 0x86
export const REDUCE = 0x52
export const BUILD = 0x62
export const STACK_GLOBAL = 0x93
export const BINPERSID = 0x51

export const binput = (index: number): Uint8Array => Uint8Array.of(0x71, index)
export const binget = (index: number): Uint8Array => Uint8Array.of(0x68, index)

export function str(text: string): Uint8Array {
  const bytes = Buffer.from(text)
  return joined(0x58, u32(bytes.length), bytes)
}

/** BININT1, BININT or LONG1. */
export function int(value: number): Uint8Array {
  if (value >= 0 && value < 256) return Uint8Array.of(0x4b, value)
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  return value === (value | 0) ? joined(0x4a, bytes.subarray(0, 4)) : joined(0x8a, 8, bytes)
}

export function global(module: string, name: string): Uint8Array {
  return joined(0x63, Buffer.from(`${module}\n${name}\n`))
}

export function tuple(...items: Uint8Array[]): Uint8Array {
  return joined(MARK, ...items, TUPLE)
}

export function dict(fields: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return joined(
    EMPTY_DICT,
    MARK,
    ...Object.entries(fields).flatMap(([name, value]) => [str(name), value]),
    SETITEMS,
  )
}

export interface TensorPieces {
  readonly type?: string
  readonly key?: string
  readonly offset?: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

/** As torch.save writes a tensor. */
export function tensor({
  type = 'FloatStorage',
  key = '0',
  offset = 0,
  shape,
  strides,
}: TensorPieces): Uint8Array {
  const storage = tuple(str('storage'), global('torch', type), str(key), str('cpu'), int(4))
  const hooks = joined(global('collections', 'OrderedDict'), EMPTY_TUPLE, REDUCE)
  const args = tuple(
    joined(storage, BINPERSID),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    Uint8Array.of(0x89),
    hooks,
  )
  return joined(global('torch._utils', '_rebuild_tensor_v2'), args, REDUCE)
}

export function pickle(...operations: (Uint8Array | number)[]): Uint8Array {
  return joined(PROTO, ...operations, STOP)
}

/** A checkpoint with this pickle and, for storage 0, four floats. */
export function checkpoint(...operations: (Uint8Array | number)[]): Uint8Array {
  return zip([
    { name: 'archive/data.pkl', bytes: pickle(...operations) },
    { name: 'archive/data/0', bytes: new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) },
  ])
}

// ---- Zip archives: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT ----

export interface ZipPiece {
  readonly name: string
  readonly bytes: Uint8Array
  readonly flags?: number
  readonly method?: number
  /** What the directory says instead of the truth. */
  readonly size?: number
  readonly packedSize?: number
  readonly position?: number
}

/** An archive; `claims` replace what its last record says. */
export function zip(
  entries: readonly ZipPiece[],
  claims: { count?: number; size?: number } = {},
): Uint8Array {
  const directory: Uint8Array[] = []
  const files: Uint8Array[] = []
  let at = 0
  for (const { name, bytes, flags = 0, method = 0, size = bytes.length, ...entry } of entries) {
    const fields = joined(u16(20, flags, method, 0, 0), u32(0, entry.packedSize ?? size, size))
    const lengths = u16(Buffer.byteLength(name), 0)
    const file = joined(u32(0x04034b50), fields, lengths, Buffer.from(name), bytes)
    directory.push(
      joined(u32(0x02014b50), u16(20), fields, lengths, u16(0, 0, 0), u32(0, entry.position ?? at)),
      Buffer.from(name),
    )
    files.push(file)
    at += file.length
  }
  const central = joined(...directory)
  const { count = entries.length, size = central.length } = claims
  return joined(...files, central, u32(0x06054b50), u16(0, 0, count, count), u32(size, at), u16(0))
}

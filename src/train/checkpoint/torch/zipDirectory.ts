import { UserError } from '../../../errors.js'
import { type ByteFile, endsBefore } from '../byteFile.js'

/**
 * The directory of a zip archive (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3), also with zip64
 * records. Only entries without compression can be read, as PyTorch writes them: each is a range of the file.
 */

export interface ZipEntry {
  readonly name: string
  readonly size: number
  /** Why its bytes cannot be read; null if they can. */
  readonly obstacle: string | null
  /** Position of the entry's own header, which is followed by its bytes. */
  readonly headerOffset: number
}

const END = 0x06054b50
const END_BYTES = 22
const END64 = 0x06064b50
const LOCATOR64 = 0x07064b50
const LOCATOR64_BYTES = 20
const CENTRAL = 0x02014b50
const CENTRAL_BYTES = 46
const LOCAL = 0x04034b50
const LOCAL_BYTES = 30
const MAX_COMMENT = 65535
/** Values with all bits set are in the zip64 record. */
const IN_ZIP64 = 0xffffffff
/** A directory of a million entries; PyTorch writes one for each tensor. */
const MAX_DIRECTORY = 2 ** 26

/** @throws UserError that names the file, if the archive is damaged */
export async function readZipDirectory(file: ByteFile): Promise<Map<string, ZipEntry>> {
  const { offset, size, count } = await findDirectory(file)
  if (size > MAX_DIRECTORY) throw damaged(file, `its directory has ${size} bytes`)
  const bytes = await read(file, offset, size)
  const view = viewOf(bytes)
  const entries = new Map<string, ZipEntry>()
  let at = 0
  for (let index = 0; index < count; index++) {
    if (at + CENTRAL_BYTES > size || view.getUint32(at, true) !== CENTRAL)
      throw damaged(file, `its directory ends after ${index} of ${count} entries`)
    const end =
      at + CENTRAL_BYTES + lengthAt(view, at + 28) + lengthAt(view, at + 30) + lengthAt(view, at + 32)
    if (end > size) throw damaged(file, `its directory ends after ${index} of ${count} entries`)
    const entry = readEntry(file, view, at)
    if (entries.has(entry.name)) throw damaged(file, `entry ${entry.name} occurs twice`)
    entries.set(entry.name, entry)
    at = end
  }
  if (at !== size) throw damaged(file, `its directory has more than ${count} entries`)
  return entries
}

/**
 * The bytes of an entry, or `length` of them from `start`.
 *
 * @throws UserError that names the file, if the entry is compressed, encrypted or damaged
 */
export async function readEntryBytes(
  file: ByteFile,
  { name, size, obstacle, headerOffset }: ZipEntry,
  start = 0,
  length = size,
): Promise<Uint8Array<ArrayBuffer>> {
  if (obstacle) throw new UserError(`${file.name}: entry ${name} ${obstacle}`)
  const header = viewOf(await read(file, headerOffset, LOCAL_BYTES))
  if (header.getUint32(0, true) !== LOCAL) throw damaged(file, `entry ${name} has no header`)
  const dataOffset = headerOffset + LOCAL_BYTES + lengthAt(header, 26) + lengthAt(header, 28)
  return read(file, dataOffset + start, length)
}

function readEntry(file: ByteFile, view: DataView, at: number): ZipEntry {
  const packed = view.getUint32(at + 20, true)
  const nameLength = lengthAt(view, at + 28)
  const name = new TextDecoder().decode(
    new Uint8Array(view.buffer, view.byteOffset + at + CENTRAL_BYTES, nameLength),
  )
  const extra = at + CENTRAL_BYTES + nameLength
  const zip64 = zip64Fields(view, extra, extra + lengthAt(view, at + 30))
  // The extra field has these values in this order, and only those with all bits set.
  const full = (value: number) => (value === IN_ZIP64 ? (zip64.next().value ?? value) : value)
  const size = full(view.getUint32(at + 24, true))
  const packedSize = full(packed)
  const headerOffset = full(view.getUint32(at + 42, true))
  const obstacle = obstacleOf(view.getUint16(at + 8, true), view.getUint16(at + 10, true))
  if (!obstacle && packedSize !== size)
    throw damaged(file, `entry ${name} has two sizes, ${size} and ${packedSize}`)
  const end = headerOffset + LOCAL_BYTES + packedSize
  if (!(end <= file.size)) throw endsBefore(file.name, end, file.size)
  return { name, size, obstacle, headerOffset }
}

function obstacleOf(flags: number, method: number): string | null {
  if ((flags & 1) !== 0) return 'is encrypted; expected an archive as torch.save writes it'
  return method === 0
    ? null
    : 'is compressed; expected an archive as torch.save writes it, without compression'
}

/** The 64-bit numbers of the extra field 1. */
function* zip64Fields(view: DataView, start: number, end: number): Generator<number, undefined> {
  for (let at = start; at + 4 <= end; at += 4 + lengthAt(view, at + 2)) {
    if (view.getUint16(at, true) !== 1) continue
    const last = Math.min(end, at + 4 + lengthAt(view, at + 2))
    for (let number = at + 4; number + 8 <= last; number += 8) yield Number(view.getBigUint64(number, true))
  }
}

async function findDirectory(file: ByteFile): Promise<{ offset: number; size: number; count: number }> {
  const tailSize = Math.min(file.size, END_BYTES + MAX_COMMENT)
  const tailStart = file.size - tailSize
  const tail = viewOf(await file.read(tailStart, tailSize))
  let at = tailSize - END_BYTES
  while (at >= 0 && tail.getUint32(at, true) !== END) at--
  if (at < 0) throw new UserError(`${file.name}: truncated zip archive: its directory is missing`)
  const locator = tailStart + at - LOCATOR64_BYTES
  if (locator >= 0) {
    const view = viewOf(await read(file, locator, LOCATOR64_BYTES))
    if (view.getUint32(0, true) === LOCATOR64) return directory64(file, Number(view.getBigUint64(8, true)))
  }
  return {
    count: tail.getUint16(at + 10, true),
    size: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  }
}

async function directory64(
  file: ByteFile,
  at: number,
): Promise<{ offset: number; size: number; count: number }> {
  const view = viewOf(await read(file, at, 56))
  if (view.getUint32(0, true) !== END64) throw damaged(file, 'its zip64 record is missing')
  const number = (offset: number) => Number(view.getBigUint64(offset, true))
  return { count: number(32), size: number(40), offset: number(48) }
}

/** Bytes whose position comes from the file itself. */
function read(file: ByteFile, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  if (!(offset >= 0 && length >= 0 && offset + length <= file.size))
    throw endsBefore(file.name, offset + length, file.size)
  return file.read(offset, length)
}

function lengthAt(view: DataView, at: number): number {
  return view.getUint16(at, true)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function damaged(file: ByteFile, what: string): UserError {
  return new UserError(`${file.name}: damaged zip archive: ${what}`)
}

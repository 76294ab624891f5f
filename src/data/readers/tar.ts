import { UserError } from '../../errors.js'
import type { ByteSource } from '../fileTree.js'

/**
 * Reading tar archives by offset (POSIX ustar and pax, GNU long names), so that images can be fetched from
 * shards of any size without holding them in memory. Every number in a header is checked before use, and
 * every step moves forward by at least a block, so no archive can make the reader loop forever.
 */

export interface TarMember {
  readonly name: string
  readonly offset: number
  readonly size: number
}

export interface TarIndex {
  /** Regular files in order, and links to them; a link has the offset of its target. */
  readonly members: readonly TarMember[]
  /** Links whose target is not a regular file of this archive. */
  readonly broken: readonly { readonly name: string; readonly target: string }[]
}

interface Header {
  readonly name: string
  readonly linkName: string
  readonly size: number
  readonly type: string
}

/** Fields of pax and GNU extension headers for the next member. */
interface Extension {
  readonly path?: string
  readonly linkpath?: string
  readonly size?: number
  readonly sparse?: boolean
}

type Entry = TarMember | { readonly name: string; readonly target: string }

const BLOCK = 512
const ZERO_WINDOW = 2 ** 20
/** Padding is shorter than this; more zeros mean that the file was allocated but not completely written. */
const MAX_ZEROS = 2 ** 24
/** Largest extended header. Extended attributes can be large, but not larger than this. */
const MAX_EXTENSION = 2 ** 24
/** Linux follows as many links. */
const MAX_LINKS = 40
/** Types without content: links, devices, folders and pipes. Their size field is ignored, as in GNU tar. */
const HEADER_ONLY = '123456'
/** Types reserved for vendors, not regular files. POSIX treats every other unknown type as a regular file. */
const VENDOR = /^[A-Z]$/
const decoder = new TextDecoder()

/** Text of a field up to its first NUL. */
function fieldText(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length)
  const end = field.indexOf(0)
  return decoder.decode(end < 0 ? field : field.subarray(0, end))
}

/** Octal digits, or GNU base-256 if the first byte is 0x80; otherwise NaN. */
function fieldNumber(header: Uint8Array, start: number, length: number): number {
  if (header[start] === 0x80) {
    let value = 0
    for (let at = start + 1; at < start + length; at++) value = value * 256 + header[at]
    return value
  }
  const digits = fieldText(header, start, length).trim()
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN
}

/** Sum of all header bytes, with spaces in place of the checksum field. */
function checksum(header: Uint8Array): number {
  let sum = 8 * 32
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += header[at]
  return sum
}

function parseHeader(header: Uint8Array, where: string): Header {
  if (fieldNumber(header, 148, 8) !== checksum(header))
    throw new UserError(
      `${where}: not a tar header (checksum mismatch); the file is damaged or not a tar archive`,
    )
  const size = fieldNumber(header, 124, 12)
  if (!Number.isSafeInteger(size)) throw new UserError(`${where}: invalid size in the tar header`)
  // With GNU's magic, "ustar  ", the prefix field holds the times of incremental archives.
  const prefix = fieldText(header, 257, 6) === 'ustar' ? fieldText(header, 345, 155) : ''
  const name = fieldText(header, 0, 100)
  return {
    name: prefix ? `${prefix}/${name}` : name,
    linkName: fieldText(header, 157, 100),
    size,
    type: String.fromCharCode(header[156] || 48),
  }
}

/** pax records: "LENGTH KEY=VALUE\n". LENGTH counts all bytes of the record; VALUE may contain any byte. */
function* paxRecords(bytes: Uint8Array, where: string): Generator<{ key: string; value: Uint8Array }> {
  // Some writers pad with NULs.
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const space = bytes.indexOf(32, at)
    const digits = decoder.decode(bytes.subarray(at, Math.min(Math.max(space, at), at + 16)))
    const end = /^\d+$/.test(digits) ? at + Number(digits) : Number.NaN
    const equals = bytes.indexOf(61, space)
    if (!(equals > space && equals < end && end <= bytes.length && bytes[end - 1] === 10))
      throw new UserError(`${where}: the pax header is damaged; expected records "LENGTH KEY=VALUE"`)
    yield {
      key: decoder.decode(bytes.subarray(space + 1, equals)),
      value: bytes.subarray(equals + 1, end - 1),
    }
    at = end
  }
}

/** An empty value does not override the plain header. */
function parsePax(bytes: Uint8Array, where: string): Extension {
  let found: Extension = {}
  for (const { key, value } of paxRecords(bytes, where)) {
    if (key === 'path' || key === 'linkpath') found = { ...found, [key]: decoder.decode(value) }
    else if (key === 'size' && value.length > 0)
      found = { ...found, size: paxSize(decoder.decode(value), where) }
    else if (key === 'GNU.sparse.name') found = { ...found, path: decoder.decode(value), sparse: true }
    else if (key.startsWith('GNU.sparse.')) found = { ...found, sparse: true }
  }
  return found
}

function paxSize(text: string, where: string): number {
  const size = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(size))
    throw new UserError(`${where}: the pax header has size "${text}"; expected a non-negative integer`)
  return size
}

function truncated(source: ByteSource, member: string, wanted: number): UserError {
  return new UserError(
    `${source.name}: truncated archive: ${member} ends at byte ${wanted}, the file at byte ${source.size}`,
  )
}

/** The offset of the first block after `at` that is not all zeros, or of the partial block at the end. */
function skipZeros(source: ByteSource, at: number): number {
  for (let start = at; start + BLOCK <= source.size; start += ZERO_WINDOW) {
    if (start - at >= MAX_ZEROS)
      throw new UserError(
        `${source.name} at byte ${at}: more than ${MAX_ZEROS} zero bytes; the archive is damaged or incomplete`,
      )
    const zeros = source.read(start, Math.min(ZERO_WINDOW, source.size - start))
    let other = 0
    while (other < zeros.length && zeros[other] === 0) other++
    if (other < zeros.length) return start + other - (other % BLOCK)
  }
  return source.size - (source.size % BLOCK)
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

/**
 * All regular files of the archive, in order. Zero blocks are skipped everywhere, so archives joined by `cat`
 * are read completely. An archive that does not end with a zero block is truncated.
 *
 * @throws UserError that names file and member, if the archive is damaged or a member is not supported
 */
export function indexTar(source: ByteSource): TarIndex {
  const entries: Entry[] = []
  let all: Extension = {}
  let next: Extension = {}
  let ended = false
  let at = 0
  while (at + BLOCK <= source.size) {
    const bytes = source.read(at, BLOCK)
    ended = isZero(bytes)
    if (ended) {
      at = skipZeros(source, at + BLOCK)
      continue
    }
    const where = `${source.name} at byte ${at}`
    const header = parseHeader(bytes, where)
    const start = at + BLOCK
    if ('xXgLK'.includes(header.type)) {
      if (start + header.size > source.size)
        throw truncated(source, 'an extended header', start + header.size)
      const content = extension(source, header, start, where)
      if (header.type === 'g') all = { ...all, ...content }
      else next = { ...next, ...content }
      at = start + padded(header.size)
      continue
    }
    const said = { ...all, ...next }
    next = {}
    const member = placed(source, header, said, start)
    if (member.entry) entries.push(member.entry)
    at = member.end
  }
  if (!ended) throw truncated(source, 'the end-of-archive mark', at + BLOCK)
  return resolveLinks(entries)
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK
}

function extension(source: ByteSource, header: Header, offset: number, where: string): Extension {
  if (header.size > MAX_EXTENSION)
    throw new UserError(
      `${where}: an extended header of ${header.size} bytes; expected at most ${MAX_EXTENSION}`,
    )
  const bytes = source.read(offset, header.size)
  if (header.type === 'L') return { path: fieldText(bytes, 0, bytes.length) }
  if (header.type === 'K') return { linkpath: fieldText(bytes, 0, bytes.length) }
  return parsePax(bytes, where)
}

/** One member: its end, and its entry if it is a file or a link. */
function placed(
  source: ByteSource,
  header: Header,
  said: Extension,
  offset: number,
): { entry: Entry | null; end: number } {
  const { type } = header
  const name = said.path || header.name
  if (type === 'S' || said.sparse)
    throw new UserError(
      `${source.name} member ${name}: sparse members are not supported; pack the archive without --sparse`,
    )
  if (type === 'M')
    throw new UserError(
      `${source.name} member ${name}: continued from another volume; multi-volume archives are not supported`,
    )
  if (HEADER_ONLY.includes(type)) {
    const target = said.linkpath || header.linkName
    if (type === '1') return { entry: { name, target: plainPath(target) }, end: offset }
    if (type === '2') return { entry: { name, target: besides(name, target) }, end: offset }
    return { entry: null, end: offset }
  }
  const size = said.size ?? header.size
  if (offset + size > source.size) throw truncated(source, `member ${name}`, offset + size)
  const isFile = !VENDOR.test(type) && !name.endsWith('/')
  return { entry: isFile ? { name, offset, size } : null, end: offset + padded(size) }
}

/** The target of a symbolic link is relative to the link's folder; an absolute target is not a member. */
function besides(name: string, target: string): string {
  if (target.startsWith('/')) return target
  return plainPath(`${name.slice(0, name.lastIndexOf('/') + 1)}${target}`)
}

/** `./a//b/../c.jpg` → `a/c.jpg`. */
function plainPath(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (part !== '.' && part !== '') parts.push(part)
  }
  return parts.join('/')
}

function resolveLinks(entries: readonly Entry[]): TarIndex {
  const byPath = new Map<string, Entry>()
  // If a link and a file share a name, the file counts.
  for (const kind of ['target', 'size'])
    for (const entry of entries) if (kind in entry) byPath.set(plainPath(entry.name), entry)
  const members: TarMember[] = []
  const broken: { name: string; target: string }[] = []
  for (const entry of entries) {
    let found: Entry | undefined = entry
    for (let links = 0; found && 'target' in found && links < MAX_LINKS; links++)
      found = byPath.get(found.target)
    if (found && !('target' in found)) members.push({ ...found, name: entry.name })
    else if ('target' in entry) broken.push(entry)
  }
  return { members, broken }
}

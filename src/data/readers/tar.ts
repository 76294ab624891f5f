import { UserError } from '../../errors.js'
import type { ByteSource } from '../fileTree.js'

/**
 * Reading tar archives by offset (POSIX ustar and pax, GNU long names), so that images can be fetched from shards
 * of any size without holding them in memory. Every number of a header is checked before it is used, and every
 * step moves forward by a block or more, so that no archive can keep the reader busy for ever.
 */

export interface TarMember {
  readonly name: string
  readonly offset: number
  readonly size: number
}

export interface TarIndex {
  /** Regular files in their order, and links to them: a link has the place of the file that it leads to. */
  readonly members: readonly TarMember[]
  /** Links that lead to no regular file of this archive. */
  readonly broken: readonly { readonly name: string; readonly target: string }[]
}

interface Header {
  readonly name: string
  readonly linkName: string
  readonly size: number
  readonly type: string
}

/** What pax and GNU extension headers say of the member after them. */
interface Extension {
  readonly path?: string
  readonly linkpath?: string
  readonly size?: number
  readonly sparse?: boolean
}

type Entry = TarMember | { readonly name: string; readonly target: string }

const BLOCK = 512
const ZERO_WINDOW = 2 ** 20
/** No record of an archive is as long; more zeros are a file that was allocated and not filled. */
const MAX_ZEROS = 2 ** 24
/** Extended attributes can be large; anything longer is damage. */
const MAX_EXTENSION = 2 ** 24
/** As many links as Linux follows. */
const MAX_LINKS = 40
/** Links, devices, folders and pipes have no content, whatever their size field says (as in GNU tar). */
const HEADER_ONLY = '123456'
/** Reserved to vendors: not regular files, while POSIX has every other unknown type read as one. */
const VENDOR = /^[A-Z]$/
const decoder = new TextDecoder()

/** Text of a field up to its first NUL. */
function fieldText(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length)
  const end = field.indexOf(0)
  return decoder.decode(end < 0 ? field : field.subarray(0, end))
}

/** Octal digits, or GNU base-256 if the top bit alone is set; NaN if it is neither. */
function fieldNumber(header: Uint8Array, start: number, length: number): number {
  if (header[start] === 0x80) {
    let value = 0
    for (let at = start + 1; at < start + length; at++) value = value * 256 + header[at]
    return value
  }
  const digits = fieldText(header, start, length).trim()
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN
}

/** Sum of all header bytes with the checksum field itself read as spaces. */
function checksum(header: Uint8Array): number {
  let sum = 8 * 32
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += header[at]
  return sum
}

function parseHeader(header: Uint8Array, where: string): Header {
  if (fieldNumber(header, 148, 8) !== checksum(header))
    throw new UserError(
      `${where}: not a tar header (checksum does not match); the archive is damaged or no tar`,
    )
  const size = fieldNumber(header, 124, 12)
  if (!Number.isSafeInteger(size)) throw new UserError(`${where}: the tar header holds no valid size`)
  // GNU's own magic is "ustar  "; where POSIX has the prefix, it has the times of incremental archives.
  const prefix = fieldText(header, 257, 6) === 'ustar' ? fieldText(header, 345, 155) : ''
  const name = fieldText(header, 0, 100)
  return {
    name: prefix ? `${prefix}/${name}` : name,
    linkName: fieldText(header, 157, 100),
    size,
    type: String.fromCharCode(header[156] || 48),
  }
}

/** pax records: "LENGTH KEY=VALUE\n", where LENGTH counts the bytes of all of it and VALUE may hold anything. */
function* paxRecords(bytes: Uint8Array, where: string): Generator<{ key: string; value: Uint8Array }> {
  // Some writers fill the rest with NULs.
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

/** An empty value says nothing: what the plain header has counts. */
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
    throw new UserError(
      `${where}: the pax header gives a size of "${text}"; expected a whole number of bytes`,
    )
  return size
}

function truncated(source: ByteSource, member: string, wanted: number): UserError {
  return new UserError(
    `${source.name}: the archive is truncated: ${member} wants ${wanted} bytes, the file has ${source.size}`,
  )
}

/** The offset of the first block from `at` on that is not all zeros, or of the last, partial one. */
function skipZeros(source: ByteSource, at: number): number {
  for (let start = at; start + BLOCK <= source.size; start += ZERO_WINDOW) {
    if (start - at >= MAX_ZEROS)
      throw new UserError(
        `${source.name} at byte ${at}: zeros for more than ${MAX_ZEROS} bytes; the archive is damaged or was not copied whole`,
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
 * All regular files of the archive, in order. Zero blocks are skipped wherever they stand, so archives joined by
 * `cat` read whole; an archive that does not end in one was cut off.
 *
 * @throws UserError naming file and member, for what is damaged and for members that cannot be read (sparse ones)
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
    throw new UserError(`${where}: extended header of ${header.size} bytes; it is damaged`)
  const bytes = source.read(offset, header.size)
  if (header.type === 'L') return { path: fieldText(bytes, 0, bytes.length) }
  if (header.type === 'K') return { linkpath: fieldText(bytes, 0, bytes.length) }
  return parsePax(bytes, where)
}

/** One member: where it ends, and its entry if it is a file or a link. */
function placed(
  source: ByteSource,
  header: Header,
  said: Extension,
  offset: number,
): { entry: Entry | null; end: number } {
  const { type } = header
  const name = said.path || header.name
  if (type === 'S' || said.sparse)
    throw new UserError(`${source.name} member ${name}: a sparse member; expected it packed without --sparse`)
  if (type === 'M')
    throw new UserError(`${source.name} member ${name}: it begins in another volume; expected one archive`)
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

/** The target of a symbolic link starts at the link's own folder; an absolute one is no member. */
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
  // A link may bear the name of an older file.
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

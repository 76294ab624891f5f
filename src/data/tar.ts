import { UserError } from '../errors.js'

/**
 * Reading tar archives by offset (POSIX ustar with GNU long names and pax paths and sizes), so that pictures can
 * be fetched from shards of any size without holding them in memory.
 */

/** Bytes that can be read anywhere; `name` is what messages call them. */
export interface ByteSource {
  readonly name: string
  readonly size: number
  read(offset: number, length: number): Uint8Array
}

export interface TarMember {
  readonly name: string
  readonly offset: number
  readonly size: number
}

interface Header {
  readonly name: string
  readonly size: number
  readonly type: string
}

const block = 512
/** Extension members hold one path; anything longer is damage. */
const maxExtension = 1 << 16
const decoder = new TextDecoder()

/** Text of a field up to its first NUL. */
function fieldText(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length)
  const end = field.indexOf(0)
  return decoder.decode(end < 0 ? field : field.subarray(0, end))
}

/** Octal digits, or GNU base-256 if the top bit is set; NaN if it is neither. */
function fieldNumber(header: Uint8Array, start: number, length: number): number {
  if (header[start] & 0x80) {
    let value = header[start] & 0x7f
    for (let at = start + 1; at < start + length; at++) value = value * 256 + header[at]
    return value
  }
  const digits = fieldText(header, start, length).trim()
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN
}

/** Sum of all header bytes with the checksum field itself read as spaces. */
function checksum(header: Uint8Array): number {
  let sum = 8 * 32
  for (let at = 0; at < block; at++) if (at < 148 || at >= 156) sum += header[at]
  return sum
}

function parseHeader(header: Uint8Array, where: string): Header {
  if (fieldNumber(header, 148, 8) !== checksum(header))
    throw new UserError(
      `${where}: not a tar header (checksum does not match); the archive is damaged or no tar`,
    )
  const size = fieldNumber(header, 124, 12)
  if (!Number.isSafeInteger(size)) throw new UserError(`${where}: the tar header holds no valid size`)
  const prefix = fieldText(header, 257, 5) === 'ustar' ? fieldText(header, 345, 155) : ''
  const name = fieldText(header, 0, 100)
  return { name: prefix ? `${prefix}/${name}` : name, size, type: String.fromCharCode(header[156] || 48) }
}

/** pax records "length key=value\n" → the two keys that matter here. */
function parsePax(text: string): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {}
  for (const line of text.split('\n')) {
    const match = /^\d+ (path|size)=(.*)$/.exec(line)
    if (match?.[1] === 'path') found.path = match[2]
    if (match?.[1] === 'size') found.size = Number(match[2])
  }
  return found
}

function readExtension(source: ByteSource, header: Header, offset: number): string {
  if (header.size > maxExtension)
    throw new UserError(
      `${source.name} at byte ${offset}: extended header of ${header.size} bytes; it is damaged`,
    )
  return decoder.decode(source.read(offset, header.size))
}

function truncated(source: ByteSource, member: string, wanted: number): UserError {
  return new UserError(
    `${source.name}: the archive is truncated: ${member} wants ${wanted} bytes, the file has ${source.size}`,
  )
}

/**
 * All regular files of the archive, in order. Zero blocks are skipped wherever they stand, so archives joined by
 * `cat` read whole; an archive that does not end in one was cut off. Throws UserError naming file and member.
 */
export function indexTar(source: ByteSource): TarMember[] {
  const members: TarMember[] = []
  let override: { path?: string; size?: number } = {}
  let ended = false
  let at = 0
  while (at + block <= source.size) {
    const bytes = source.read(at, block)
    ended = bytes.every((byte) => byte === 0)
    if (ended) {
      at += block
      continue
    }
    const header = parseHeader(bytes, `${source.name} at byte ${at}`)
    const start = at + block
    const isExtension = 'xL'.includes(header.type)
    const size = isExtension ? header.size : (override.size ?? header.size)
    const name = isExtension ? 'an extended header' : (override.path ?? header.name)
    if (start + size > source.size) throw truncated(source, `member ${name}`, start + size)
    if (header.type === 'L')
      override = { ...override, path: readExtension(source, header, start).replace(/\0.*$/s, '') }
    else if (header.type === 'x') override = parsePax(readExtension(source, header, start))
    else {
      if ('07'.includes(header.type) && !name.endsWith('/')) members.push({ name, offset: start, size })
      override = {}
    }
    at = start + Math.ceil(size / block) * block
  }
  if (!ended) throw truncated(source, 'the end-of-archive mark', at + block)
  return members
}

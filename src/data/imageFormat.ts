/** What the header of an image says. */
export interface ImageFormat {
  readonly type: 'image/jpeg' | 'image/png' | 'image/webp'
  /** As stored, before the EXIF orientation is applied. */
  readonly width: number
  readonly height: number
}

/**
 * The format of an image by its content, whatever its name says. Decoders support more formats than these
 * three, such as SVG, which may refer to other files; those are refused.
 *
 * @throws Error with the reason, if it is another format or has no valid size
 */
export function imageFormat(bytes: Uint8Array): ImageFormat {
  const format = jpeg(bytes) ?? png(bytes) ?? webp(bytes)
  if (!format) throw new Error(bytes.length === 0 ? 'the file is empty' : describe(bytes))
  if (!(format.width > 0 && format.height > 0)) throw new Error('no valid size in its header')
  return format
}

function startsWith(bytes: Uint8Array, text: string, at = 0): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false
  return true
}

/** Unsigned, big-endian; NaN past the end. */
function big(bytes: Uint8Array, at: number, length: number): number {
  let value = 0
  for (let i = 0; i < length; i++) value = value * 256 + (bytes[at + i] ?? Number.NaN)
  return value
}

/** Unsigned, little-endian; NaN past the end. */
function little(bytes: Uint8Array, at: number, length: number): number {
  let value = 0
  for (let i = length - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? Number.NaN)
  return value
}

function png(bytes: Uint8Array): ImageFormat | null {
  if (!startsWith(bytes, '\x89PNG\r\n\x1a\n')) return null
  return { type: 'image/png', width: big(bytes, 16, 4), height: big(bytes, 20, 4) }
}

/** The size is in the frame header: markers 0xC0 to 0xCF except tables (C4, CC) and JPEG extensions (C8). */
function jpeg(bytes: Uint8Array): ImageFormat | null {
  if (!startsWith(bytes, '\xff\xd8\xff')) return null
  for (let at = 2; at < bytes.length; ) {
    const marker = bytes[at + 1]
    if (bytes[at] !== 0xff || marker === 0xff || marker === 0) at++
    else if (marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) at += 2
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return { type: 'image/jpeg', width: big(bytes, at + 7, 2), height: big(bytes, at + 5, 2) }
    else at += 2 + Math.max(2, big(bytes, at + 2, 2) || 0)
  }
  throw new Error('a JPEG truncated before its size')
}

function webp(bytes: Uint8Array): ImageFormat | null {
  if (!startsWith(bytes, 'RIFF') || !startsWith(bytes, 'WEBP', 8)) return null
  const type = 'image/webp'
  if (startsWith(bytes, 'VP8 ', 12))
    return { type, width: little(bytes, 26, 2) & 0x3fff, height: little(bytes, 28, 2) & 0x3fff }
  if (startsWith(bytes, 'VP8L', 12)) {
    const bits = little(bytes, 21, 4)
    return { type, width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
  }
  if (startsWith(bytes, 'VP8X', 12))
    return { type, width: little(bytes, 24, 3) + 1, height: little(bytes, 27, 3) + 1 }
  throw new Error('a WebP without an image')
}

/** Names the formats that are given most often by mistake. */
function describe(bytes: Uint8Array): string {
  const known = [
    { name: 'GIF', is: startsWith(bytes, 'GIF8') },
    { name: 'BMP', is: startsWith(bytes, 'BM') },
    { name: 'TIFF', is: startsWith(bytes, 'II*\0') || startsWith(bytes, 'MM\0*') },
    { name: 'AVIF or HEIC', is: startsWith(bytes, 'ftyp', 4) },
    { name: 'JPEG XL', is: startsWith(bytes, '\xff\x0a') },
    {
      name: 'a Git LFS pointer; fetch the file with git lfs pull',
      is: startsWith(bytes, 'version https://git'),
    },
    { name: 'text, such as SVG or HTML', is: startsWith(bytes, '<') || startsWith(bytes, '\xef\xbb\xbf<') },
  ].find(({ is }) => is)
  return known ? `it is ${known.name}` : 'unknown format'
}

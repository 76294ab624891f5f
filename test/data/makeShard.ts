import sharp from 'sharp'
import { pack } from 'tar-stream'

/** A tar archive of these members, written by an independent library. */
export async function makeTar(members: Readonly<Record<string, Uint8Array | string>>): Promise<Buffer> {
  const archive = pack()
  for (const [name, content] of Object.entries(members)) archive.entry({ name }, Buffer.from(content))
  archive.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** A PNG of one colour. */
export function makeImage(red: number, green: number, blue: number, size = 8): Promise<Buffer> {
  const background = { r: red, g: green, b: blue }
  return sharp({ create: { width: size, height: size, channels: 3, background } })
    .png()
    .toBuffer()
}

/** Members of a shard with one picture a label; pictures differ by their red value. */
export async function makeSamples(
  labels: readonly (object | null)[],
): Promise<Record<string, Uint8Array | string>> {
  const members: Record<string, Uint8Array | string> = {}
  for (const [at, label] of labels.entries()) {
    const key = String(at).padStart(6, '0')
    members[`${key}.png`] = await makeImage(10 * at, 0, 0)
    if (label) members[`${key}.json`] = JSON.stringify(label)
  }
  return members
}

/** What a hand-made tar header says; an independent writer would refuse most of what tests want to say. */
export interface RawHeader {
  readonly name?: string
  readonly type?: string
  readonly size?: number
  /** The size field byte by byte, instead of `size`. */
  readonly sizeField?: string
  readonly linkName?: string
  readonly magic?: string
  readonly prefix?: string
}

/** One header block with a right checksum. */
export function rawHeader({ name = 'a.jpg', type = '0', size = 0, ...other }: RawHeader): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write(other.sizeField ?? `${size.toString(8).padStart(11, '0')} `, 124, 12, 'latin1')
  header.write(type, 156, 1)
  header.write(other.linkName ?? '', 157, 100)
  header.write(other.magic ?? 'ustar\x0000', 257, 8)
  header.write(other.prefix ?? '', 345, 155)
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8)
  return header
}

/** A member with its content, filled up to whole blocks. */
export function rawMember(header: RawHeader, content: Uint8Array | string = ''): Buffer {
  const bytes = Buffer.from(content)
  const rest = Buffer.alloc((512 - (bytes.length % 512)) % 512)
  return Buffer.concat([rawHeader({ size: bytes.length, ...header }), bytes, rest])
}

/** A pax header of these records. */
export function paxHeader(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const body = ` ${key}=${value}\n`
    let length = Buffer.byteLength(body) + 1
    while (`${length}`.length + Buffer.byteLength(body) > length) length++
    return `${length}${body}`
  })
  return rawMember({ name: 'pax', type }, lines.join(''))
}

export function rawTar(...members: readonly Buffer[]): Buffer {
  return Buffer.concat([...members, Buffer.alloc(1024)])
}

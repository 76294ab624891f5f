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

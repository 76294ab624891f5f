/** WebDataset shards: gzipped tars of `000123.jpg` + `000123.json`, each below a million bytes. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'

/** Biggest shard, in bytes. */
export const shardLimit = 1_000_000
/** A packed picture costs its JPEG plus about this much: labels and tar headers after gzip. */
const packedOverhead = 230

export interface Sample {
  /** Number in the whole set; member names are its six digits. */
  readonly key: string
  readonly jpeg: Buffer
  /** Compact JSON. */
  readonly label: string
}

export interface Shard {
  readonly file: string
  readonly split: string
  readonly images: number
}

/** A tar of the samples with all dates at 0, gzipped without name, date or system: same samples, same bytes. */
async function shardBytes(samples: readonly Sample[]): Promise<Buffer> {
  const tar = pack()
  const mtime = new Date(0)
  for (const { key, jpeg, label } of samples) {
    tar.entry({ name: `${key}.jpg`, mtime, mode: 0o644 }, jpeg)
    tar.entry({ name: `${key}.json`, mtime, mode: 0o644 }, label)
  }
  tar.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of tar) chunks.push(chunk as Buffer)
  const zipped = gzipSync(Buffer.concat(chunks), { level: 9 })
  zipped[9] = 255 // operating system: unknown (RFC 1952), or the bytes would depend on it
  return zipped
}

/** Cuts one split into shards of nearly equal size and writes `<split>-000.tar.gz`, … */
export async function writeShards(
  folder: string,
  split: string,
  samples: readonly Sample[],
): Promise<Shard[]> {
  const total = samples.reduce((bytes, sample) => bytes + sample.jpeg.length + packedOverhead, 0)
  const count = Math.max(1, Math.ceil(total / (0.97 * shardLimit)))
  const shards: Shard[] = []
  for (let i = 0; i < count; i++) {
    const own = samples.slice(
      Math.round((i * samples.length) / count),
      Math.round(((i + 1) * samples.length) / count),
    )
    const file = `${split}-${String(i).padStart(3, '0')}.tar.gz`
    const bytes = await shardBytes(own)
    if (bytes.length >= shardLimit)
      throw new Error(`${file}: ${bytes.length} bytes, the limit is ${shardLimit}`)
    await writeFile(join(folder, file), bytes)
    shards.push({ file, split, images: own.length })
  }
  return shards
}

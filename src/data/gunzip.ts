import { UserError } from '../errors.js'
import type { TreeFile } from './fileTree.js'

/** Decompressed data is held in memory, up to this size. */
const MAX_UNPACKED = 2 ** 30
/** Shards compress to a half or a tenth. A larger ratio is refused, unless the result is SMALL. */
const MAX_RATIO = 20
const SMALL = 2 ** 26

/** Checks the first bytes: files may be misnamed, and some servers decompress .gz files. */
export async function isGzip(file: TreeFile): Promise<boolean> {
  return file.withSource((source) => {
    if (source.size < 2) return false
    const [first, second] = source.read(0, 2)
    return first === 0x1f && second === 0x8b
  })
}

/** The decompressed content of a gzip file. */
export async function gunzip(file: TreeFile): Promise<Uint8Array> {
  const bytes = await file.bytes()
  const refuse = (what: string) =>
    new UserError(`${file.name}: expands to more than ${what}; decompress it first: gunzip ${file.name}`)
  const packed = new Blob([bytes])
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  const reader = packed.stream().pipeThrough(new DecompressionStream('gzip')).getReader()
  for (;;) {
    const { done, value } = await reader.read().catch((error: Error) => {
      throw new UserError(`${file.name}: truncated or damaged gzip file (${error.message})`)
    })
    if (done) break
    size += value.length
    const isTooLarge = size > MAX_UNPACKED
    if (isTooLarge || (size > SMALL && size > MAX_RATIO * bytes.length)) {
      await reader.cancel()
      throw refuse(isTooLarge ? '1 GiB' : `${MAX_RATIO} times its size`)
    }
    chunks.push(value)
  }
  return joined(chunks, size)
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

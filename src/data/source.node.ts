import { readFile } from 'node:fs/promises'
import { cannotRead } from './files.node.js'
import type { Source } from './source.js'

/** All bytes, and a name for messages. @throws UserError that names the file if it cannot be read */
export async function readSource(source: Source): Promise<{ name: string; bytes: Uint8Array }> {
  if (source instanceof Uint8Array) return { name: 'bytes', bytes: source }
  if (source instanceof Blob) return { name: 'blob', bytes: new Uint8Array(await source.arrayBuffer()) }
  const bytes = await readFile(source).catch((error: unknown) => {
    throw cannotRead(String(source), error)
  })
  return { name: String(source), bytes: new Uint8Array(bytes) }
}

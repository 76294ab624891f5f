import { UserError } from '../errors.js'
import type { Source } from './source.js'

/** All bytes, and a name for messages. @throws UserError that names the URL if it cannot be fetched */
export async function readSource(source: Source): Promise<{ name: string; bytes: Uint8Array }> {
  if (source instanceof Uint8Array) return { name: 'bytes', bytes: source }
  if (source instanceof Blob) {
    const name = source instanceof File ? source.name : 'blob'
    return { name, bytes: new Uint8Array(await source.arrayBuffer()) }
  }
  const name = String(source)
  const answer = await fetch(source).catch((error: Error) => {
    throw new UserError(`${name}: cannot be fetched (${error.message})`)
  })
  if (!answer.ok) throw new UserError(`${name}: cannot be fetched (${answer.status} ${answer.statusText})`)
  return { name, bytes: new Uint8Array(await answer.arrayBuffer()) }
}

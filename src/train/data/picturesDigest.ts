import type { ImageSet } from './imageSet.js'

/** Tells the pictures of a run from others: their number, names, people and labels. Wants Web Crypto: Node, or a secure page. */
export async function picturesDigest(set: ImageSet, indices: ArrayLike<number>): Promise<string> {
  const records = Array.from(indices, (index) => {
    const { id, subject, aus } = set.record(index)
    return JSON.stringify([id, subject, aus])
  })
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(records.join('')))
  const hex = Array.from(new Uint8Array(hash, 0, 8), (byte) => byte.toString(16).padStart(2, '0'))
  return `${indices.length} pictures, sha256 ${hex.join('')}`
}

import type { ImageSet } from './imageSet.js'
import { shortSha256 } from './shortSha256.js'

/** Half of the longest string in V8: the records of millions of images are longer. */
const BLOCK = 2 ** 28

/**
 * Identifies the images of a run: their number, names, subjects and labels. Requires Web Crypto: Node, or a
 * page in a secure context. Checkpoints store this text, so its wording must not change.
 */
export async function imagesDigest(set: ImageSet, indices: ArrayLike<number>): Promise<string> {
  const hashes: string[] = []
  for (const text of blocks(set, indices)) hashes.push(await shortSha256(text))
  // For a single block, checkpoints store the hash of the block itself.
  const hash = hashes.length === 1 ? hashes[0] : await shortSha256(hashes.join(''))
  return `${indices.length} pictures, sha256 ${hash}`
}

/** The records of the images as text. */
function* blocks(set: ImageSet, indices: ArrayLike<number>): Generator<string> {
  let text = ''
  for (let at = 0; at < indices.length; at++) {
    const { id, subject, aus } = set.sample(indices[at])
    text += JSON.stringify([id, subject, aus])
    if (text.length < BLOCK) continue
    yield text
    text = ''
  }
  yield text
}

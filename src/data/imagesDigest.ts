import type { ImageSet } from './imageSet.js'
import { shortSha256 } from './shortSha256.js'

/** Half of what V8 takes for one string: the records of millions of pictures are more. */
const BLOCK = 2 ** 28

/** Tells the pictures of a run from others: their number, names, people and labels. Wants Web Crypto: Node, or a secure page. */
export async function imagesDigest(set: ImageSet, indices: ArrayLike<number>): Promise<string> {
  const hashes: string[] = []
  for (const text of blocks(set, indices)) hashes.push(await shortSha256(text))
  // Of pictures that make one block, checkpoints hold its own hash.
  const hash = hashes.length === 1 ? hashes[0] : await shortSha256(hashes.join(''))
  return `${indices.length} pictures, sha256 ${hash}`
}

/** The records of the pictures as text. */
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

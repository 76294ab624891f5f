import { UserError } from '../errors.js'
import { ImageLoader } from './imageLoader.js'
import type { ImageDecoder, ImageSet } from './imageSet.js'
import { counted } from './notes.js'

/** More bad images than this are no accident: something is wrong with the data as a whole. */
const MAX_SHARE = 0.1
/** Images read at the same time. */
const AT_ONCE = 32
/** To know whether an image can be decoded, few pixels are enough. */
const SIZE = 16

/**
 * The set without the images that cannot be read: every one is decoded once. A set and not a batch leaves them out, so that
 * batches, digests and metrics of a run are of the same images from beginning to end.
 *
 * @returns also what was wrong with each, in the order of the set
 * @throws UserError if they are more than a tenth
 */
export async function withoutBadImages(
  set: ImageSet,
  decoder: ImageDecoder,
): Promise<{ readonly set: ImageSet; readonly bad: readonly string[] }> {
  const loader = new ImageLoader({ set, decoder, size: SIZE, standardisation: 'imagenet' })
  const bad = new Map<number, string>()
  const most = Math.floor(MAX_SHARE * set.length)
  let next = 0
  const worker = async () => {
    while (next < set.length && bad.size <= most) {
      const index = next++
      const reason = await loader.decode(index).then(() => null, messageOf)
      if (reason !== null) bad.set(index, reason)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const reasons = [...bad].sort(([a], [b]) => a - b).map(([, reason]) => reason)
  if (bad.size > most)
    throw new UserError(
      `${set.name}: more than ${counted(most, 'image')} of ${set.length} cannot be read, a tenth at most may be skipped; the first: ${reasons[0]}`,
    )
  return { set: bad.size === 0 ? set : partOf(set, (index) => !bad.has(index)), bad: reasons }
}

function messageOf(error: unknown): string {
  if (error instanceof UserError) return error.message
  throw error
}

function partOf(set: ImageSet, isKept: (index: number) => boolean): ImageSet {
  const kept = Uint32Array.from({ length: set.length }, (_, index) => index).filter(isKept)
  return {
    ...set,
    length: kept.length,
    sample: (index) => set.sample(kept[index]),
    bytes: (index) => set.bytes(kept[index]),
    describe: (index) => set.describe(kept[index]),
  }
}

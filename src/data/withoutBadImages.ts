import { UserError } from '../errors.js'
import { ImageLoader } from './imageLoader.js'
import type { ImageDecoder, ImageSet } from './imageSet.js'
import { counted } from './notes.js'

/** With more bad images than this, something is wrong with the whole data set. */
const MAX_SHARE = 0.1
/** Images read at the same time. */
const AT_ONCE = 32
/** A small output size is enough to test whether an image can be decoded. */
const SIZE = 16

/**
 * The set without the images that cannot be decoded; decodes every image once. They are removed from the set
 * instead of from each batch, so that batches, digests and metrics refer to the same images.
 *
 * @returns also the reason for each bad image, in the order of the set
 * @throws UserError if more than a tenth of the images are bad
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
      `${set.name}: more than ${counted(most, 'image')} of ${set.length} cannot be read; --bad-images skip allows at most a tenth. The first: ${reasons[0]}`,
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

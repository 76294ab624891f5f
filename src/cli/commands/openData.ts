import { imageDecoder } from '../../data/decodeImage.node.js'
import type { ImageSet } from '../../data/imageSet.js'
import { type OpenOptions, openImageSet } from '../../data/openImageSet.node.js'
import { withoutBadImages } from '../../data/withoutBadImages.js'

export interface DataOptions extends Omit<OpenOptions, 'splits'> {
  readonly data: string
  readonly split?: readonly string[] | undefined
}

/** Opens `--data`, and says what its reader left out, skipped or met twice. */
export async function openData(options: DataOptions): Promise<ImageSet> {
  // A command's other options, such as the AUs to predict, are none of the reader's.
  const { data, split, root, subjectFrom, badImages, allowOutside } = options
  const opened = await openImageSet(data, { splits: split, root, subjectFrom, badImages, allowOutside })
  for (const note of opened.notes ?? []) console.log(note)
  if (badImages !== 'skip') return opened
  const { set, bad } = await withoutBadImages(opened, imageDecoder)
  for (const reason of bad) console.log(`Skipped ${reason}`)
  if (bad.length > 0) console.log(`Skipped in all: ${bad.length} of ${opened.length} images`)
  return set
}

/**
 * Opens labelled images to measure `aus` on. Where labels do not say which units they cover, one that they never
 * name counts as absent in all images, and that is said.
 */
export async function openForTest(options: DataOptions, aus: readonly number[]): Promise<ImageSet> {
  const set = await openData(options)
  const lacking = aus.filter((unit) => !set.aus?.includes(unit))
  if (!set.aus || lacking.length === 0 || set.ausDeclared) return set
  console.log(`${set.name} never names AU ${lacking.join(', ')}: taken as absent in all its images`)
  return { ...set, aus: [...set.aus, ...lacking] }
}

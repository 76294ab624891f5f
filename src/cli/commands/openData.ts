import type { ImageSet } from '../../data/imageSet.js'
import { type OpenOptions, openImageSet } from '../../data/openImageSet.node.js'
import { withoutBadImages } from '../../data/withoutBadImages.js'
import type { Crop } from '../../face/crop.js'
import { decoderOf } from './session.js'

export interface DataOptions extends Omit<OpenOptions, 'splits'> {
  readonly data: string
  readonly split?: readonly string[] | undefined
  /** An image without a face cannot be cropped. */
  readonly crop?: Crop | undefined
}

/** Opens `--data`, and prints what its reader ignored, skipped or found twice. */
export async function openData(options: DataOptions): Promise<ImageSet> {
  // Other options of a command, such as the AUs to predict, do not concern the reader.
  const { data, split, root, subjectFrom, badImages, allowOutside } = options
  const opened = await openImageSet(data, { splits: split, root, subjectFrom, badImages, allowOutside })
  for (const note of opened.notes ?? []) console.log(note)
  if (badImages !== 'skip') return opened
  const { set, bad } = await withoutBadImages(opened, decoderOf(options.crop ?? 'none'))
  for (const reason of bad) console.log(`Skipped ${reason}`)
  if (bad.length > 0) console.log(`Skipped in all: ${bad.length} of ${opened.length} images`)
  return set
}

/**
 * Opens labeled images to measure `aus` on. If the labels do not list the AUs that they cover, an AU that they never
 * mention counts as inactive in all images, and a line says so.
 */
export async function openForTest(options: DataOptions, aus: readonly number[]): Promise<ImageSet> {
  const set = await openData(options)
  const lacking = aus.filter((unit) => !set.aus?.includes(unit))
  if (!set.aus || lacking.length === 0 || set.ausDeclared) return set
  console.log(`${set.name}: no label mentions AU ${lacking.join(', ')}; treated as inactive in all images`)
  return { ...set, aus: [...set.aus, ...lacking] }
}

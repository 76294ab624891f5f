import { UserError } from '../errors.js'
import { unitsSeen } from './actionUnits.js'
import type { ImageSample, ImageSet } from './imageSet.js'
import { counted } from './notes.js'

/** One image as a reader found it. */
export interface ReadImage {
  readonly sample: ImageSample
  /** Where its labels stand: `labels.jsonl line 3`, `a.tar member 003.json`. */
  readonly where: string
  /** The same for all images that are one file, however their paths are spelled. */
  readonly identity: string
  /** File and member of the image itself. */
  readonly name: string
  bytes(): Promise<Uint8Array>
}

/**
 * The set of these images. `aus` are the units that its makers declare, null: those that its labels name.
 *
 * @throws UserError if one file is said to show two people, or twice other action units: a test subject would be trained on
 */
export function imageSetOf(
  images: readonly ReadImage[],
  about: Required<Pick<ImageSet, 'name' | 'aus' | 'folds' | 'notes'>>,
): ImageSet {
  const copies = countCopies(images)
  const copyNote = `${about.name}: ${counted(copies, 'entry repeats', 'entries repeat')} an image file of another, with the same labels`
  return {
    ...about,
    length: images.length,
    aus: about.aus ?? unitsSeen(images.map(({ sample }) => sample.aus)),
    ausDeclared: about.aus !== null,
    notes: copies > 0 ? [...about.notes, copyNote] : about.notes,
    sample: (index) => images[index].sample,
    bytes: (index) => images[index].bytes(),
    describe: (index) => images[index].name,
  }
}

/** Who first said what of one file. */
interface Known {
  subject: ReadImage | null
  aus: ReadImage | null
}

/** How many images are files that another one is already. */
function countCopies(images: readonly ReadImage[]): number {
  const files = new Map<string, Known>()
  let copies = 0
  for (const image of images) {
    const { subject, aus } = image.sample
    const known = files.get(image.identity)
    const own: Known = { subject: subject === null ? null : image, aus: aus === null ? null : image }
    if (!known) {
      files.set(image.identity, own)
      continue
    }
    copies++
    if (own.subject && known.subject && known.subject.sample.subject !== subject)
      throw contradiction(known.subject, image, `subject "${known.subject.sample.subject}" and "${subject}"`)
    if (own.aus && known.aus && known.aus.sample.aus?.join() !== aus?.join())
      throw contradiction(known.aus, image, `AUs ${list(known.aus.sample.aus)} and ${list(aus)}`)
    known.subject ??= own.subject
    known.aus ??= own.aus
  }
  return copies
}

function contradiction(first: ReadImage, second: ReadImage, what: string): UserError {
  return new UserError(
    `${first.where} and ${second.where}: one image, ${second.name}, with ${what}; expected the same labels`,
  )
}

function list(aus: readonly number[] | null): string {
  return `[${aus?.join(', ') ?? ''}]`
}

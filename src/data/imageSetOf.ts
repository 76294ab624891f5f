import { UserError } from '../errors.js'
import { unitsSeen } from './actionUnits.js'
import type { ImageSample, ImageSet } from './imageSet.js'
import { counted } from './notes.js'

/** One image that a reader found. */
export interface ReadImage {
  readonly sample: ImageSample
  /** Position of its labels: `labels.jsonl line 3`, `a.tar member 003.json`. */
  readonly where: string
  /** Identifies the file: the same for all paths that lead to it. */
  readonly identity: string
  /** File and member of the image itself. */
  readonly name: string
  bytes(): Promise<Uint8Array>
}

/**
 * The set of these images. `aus` are the AUs that the set declares; null: those that occur in its labels.
 *
 * @throws UserError if one file has two subjects or two lists of AUs: a test image could be trained on
 */
export function imageSetOf(
  images: readonly ReadImage[],
  about: Required<Pick<ImageSet, 'name' | 'aus' | 'folds' | 'notes'>> & Pick<ImageSet, 'crop'>,
): ImageSet {
  const copies = countCopies(images)
  const copyNote = `${about.name}: ${counted(copies, 'entry repeats', 'entries repeat')} an image of an earlier entry, with the same labels`
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

/** The images that first gave a file its subject and its AUs. */
interface Known {
  subject: ReadImage | null
  aus: ReadImage | null
}

/** Counts images whose file an earlier image has. @throws UserError if their labels differ. */
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
      throw contradiction(known.subject, image, `subjects "${known.subject.sample.subject}" and "${subject}"`)
    if (own.aus && known.aus && known.aus.sample.aus?.join() !== aus?.join())
      throw contradiction(known.aus, image, `AUs ${list(known.aus.sample.aus)} and ${list(aus)}`)
    known.subject ??= own.subject
    known.aus ??= own.aus
  }
  return copies
}

function contradiction(first: ReadImage, second: ReadImage, what: string): UserError {
  return new UserError(
    `${first.where} and ${second.where}: the same image, ${second.name}, has ${what}; expected the same labels`,
  )
}

function list(aus: readonly number[] | null): string {
  return `[${aus?.join(', ') ?? ''}]`
}

import { UserError } from '../../errors.js'
import { activeUnits } from '../actionUnits.js'
import type { ByteSource } from '../fileTree.js'
import { isHidden, isImage, isOtherImage } from '../imageFiles.js'
import type { ImageSample } from '../imageSet.js'
import { counted, examples } from '../notes.js'
import { parseJson, sampleSchema } from '../schemas.js'
import { indexTar, type TarMember } from './tar.js'

/** One image of a shard: its labels and the position of its bytes. */
export interface ShardSample {
  readonly key: string
  readonly labels: Pick<ImageSample, 'subject' | 'aus'>
  /** Name of the member with its labels, or of the image itself. */
  readonly labelledBy: string
  readonly image: TarMember
}

/** Names of ignored images, by reason. */
export interface LeftOut {
  readonly hidden: string[]
  /** Names with more than one dot: see splitName. */
  readonly dotted: string[]
  readonly otherFormats: string[]
}

export interface ShardIndex {
  readonly samples: readonly ShardSample[]
  readonly leftOut: LeftOut
}

interface Pair {
  image?: TarMember
  labels?: TarMember
}

/** Largest size of one image's labels; a larger member is something else. */
const MAX_LABELS = 2 ** 24
const imageExtensions: ReadonlySet<string> = new Set(['jpg', 'jpeg', 'png', 'webp'])

/** WebDataset's rule: members of one sample share the path up to the first dot of the file name. */
function splitName(name: string): { key: string; extension: string } {
  const dot = name.indexOf('.', name.lastIndexOf('/') + 1)
  return dot < 0
    ? { key: name, extension: '' }
    : { key: name.slice(0, dot), extension: name.slice(dot + 1).toLowerCase() }
}

/** The use of a member of this name; null: it is ignored. */
function slotOf(name: string): 'image' | 'labels' | null {
  if (isHidden(name)) return null
  const { extension } = splitName(name)
  if (imageExtensions.has(extension)) return 'image'
  return extension === 'json' ? 'labels' : null
}

function pairMembers(source: ByteSource, members: readonly TarMember[]): Map<string, Pair> {
  const pairs = new Map<string, Pair>()
  for (const member of members) {
    const slot = slotOf(member.name)
    if (!slot) continue
    const { key } = splitName(member.name)
    const pair = pairs.get(key) ?? {}
    if (pair[slot])
      throw new UserError(
        `${source.name} member ${member.name}: a second ${slot === 'image' ? 'image' : '.json'} with key ${key}; expected one`,
      )
    pair[slot] = member
    pairs.set(key, pair)
  }
  return pairs
}

function leftOutOf(members: readonly TarMember[]): LeftOut {
  const names = members.map(({ name }) => name)
  const shown = names.filter((name) => !isHidden(name))
  return {
    hidden: names.filter((name) => isHidden(name) && (isImage(name) || /\.json$/i.test(name))),
    dotted: shown.filter((name) => isImage(name) && slotOf(name) !== 'image'),
    otherFormats: shown.filter(isOtherImage),
  }
}

function readLabels(
  source: ByteSource,
  member: TarMember,
  aus: readonly number[] | null,
): Pick<ImageSample, 'subject' | 'aus'> {
  const where = `${source.name} member ${member.name}`
  if (member.size > MAX_LABELS)
    throw new UserError(`${where}: has ${member.size} bytes; expected the labels of one image`)
  const text = new TextDecoder().decode(source.read(member.offset, member.size))
  const sample = parseJson(text, sampleSchema, where)
  return { subject: sample.subject ?? null, aus: sample.AUs ? activeUnits(sample.AUs, aus, where) : null }
}

/**
 * Reads a shard's members and labels. A shard without any .json contains unlabeled images; otherwise every
 * image needs a .json and every .json an image. Labels outside `aus` (null: any FACS unit) are an error.
 */
export function indexShard(source: ByteSource, aus: readonly number[] | null): ShardIndex {
  const { members, broken } = indexTar(source)
  const lost = broken.find(({ name }) => slotOf(name))
  if (lost)
    throw new UserError(
      `${source.name} member ${lost.name}: a link to ${lost.target}; expected a target inside this archive`,
    )
  const pairs = pairMembers(source, members)
  const isLabelled = [...pairs.values()].some((pair) => pair.labels)
  const samples = Array.from(pairs, ([key, { image, labels }]) => {
    if (!image) throw new UserError(`${source.name} member ${labels?.name} has no image; expected ${key}.jpg`)
    if (isLabelled && !labels)
      throw new UserError(`${source.name} member ${image.name} has no labels; expected ${key}.json`)
    return {
      key,
      labels: labels ? readLabels(source, labels, aus) : { subject: null, aus: null },
      labelledBy: (labels ?? image).name,
      image,
    }
  })
  return { samples, leftOut: leftOutOf(members) }
}

/** One sentence for each reason, with the number of images. */
export function describeLeftOut(shards: readonly LeftOut[]): string[] {
  const reasons = [
    { kind: 'hidden', what: 'hidden member', why: 'ignored' },
    {
      kind: 'dotted',
      what: 'image',
      why: 'ignored: WebDataset keys end at the first dot of the file name',
    },
    { kind: 'otherFormats', what: 'image', why: 'ignored: not JPEG, PNG or WebP' },
  ] as const
  return reasons.flatMap(({ kind, what, why }) => {
    const names = shards.flatMap((shard) => shard[kind])
    return names.length === 0 ? [] : [`${counted(names.length, what)} ${why} (${examples(names)})`]
  })
}

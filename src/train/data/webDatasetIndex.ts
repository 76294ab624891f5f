import { UserError } from '../errors.js'
import { activeUnits } from './actionUnits.js'
import type { ImageRecord } from './imageSet.js'
import { parseJson, sampleSchema } from './schemas.js'
import { type ByteSource, indexTar, type TarMember } from './tar.js'

/** One picture of a shard: its labels and where its bytes stand. */
export interface ShardSample {
  readonly record: ImageRecord
  readonly picture: TarMember
}

interface Pair {
  picture?: TarMember
  labels?: TarMember
}

const pictureExtensions = new Set(['jpg', 'jpeg', 'png', 'webp'])

/** WebDataset's rule: members of one sample share the path up to the first dot of the file name. */
function splitName(name: string): { key: string; extension: string } {
  const dot = name.indexOf('.', name.lastIndexOf('/') + 1)
  return dot < 0
    ? { key: name, extension: '' }
    : { key: name.slice(0, dot), extension: name.slice(dot + 1).toLowerCase() }
}

function pairMembers(source: ByteSource, members: readonly TarMember[]): Map<string, Pair> {
  const pairs = new Map<string, Pair>()
  for (const member of members) {
    const { key, extension } = splitName(member.name)
    const slot = pictureExtensions.has(extension) ? 'picture' : extension === 'json' ? 'labels' : null
    if (!slot) continue
    const pair = pairs.get(key) ?? {}
    if (pair[slot])
      throw new UserError(
        `${source.name} member ${member.name}: a second ${slot === 'picture' ? 'picture' : '.json'} named ${key}; expected one`,
      )
    pair[slot] = member
    pairs.set(key, pair)
  }
  return pairs
}

function readLabels(
  source: ByteSource,
  member: TarMember,
  aus: readonly number[] | null,
): Pick<ImageRecord, 'subject' | 'aus'> {
  const where = `${source.name} member ${member.name}`
  const text = new TextDecoder().decode(source.read(member.offset, member.size))
  const sample = parseJson(text, sampleSchema, where)
  return { subject: sample.subject ?? null, aus: sample.AUs ? activeUnits(sample.AUs, aus, where) : null }
}

/**
 * Reads a shard's directory and labels. A shard without any .json holds unlabelled pictures; otherwise every
 * picture needs one and the other way round. Labels outside `aus` (null: any FACS unit) are an error.
 */
export function indexShard(
  source: ByteSource,
  split: string | null,
  aus: readonly number[] | null,
): ShardSample[] {
  const pairs = pairMembers(source, indexTar(source))
  const labelled = [...pairs.values()].some((pair) => pair.labels)
  return Array.from(pairs, ([key, { picture, labels }]) => {
    if (!picture)
      throw new UserError(
        `${source.name} member ${labels?.name}: its picture is missing; expected ${key}.jpg`,
      )
    if (labelled && !labels)
      throw new UserError(
        `${source.name} member ${picture.name}: its labels are missing; expected ${key}.json`,
      )
    const known = labels ? readLabels(source, labels, aus) : { subject: null, aus: null }
    return { record: { id: key, split, ...known }, picture }
  })
}

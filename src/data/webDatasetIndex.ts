import type { z } from 'zod'
import { UserError } from '../errors.js'
import { activeUnits, unitsSeen } from './actionUnits.js'
import type { Fold } from './folds.js'
import type { ImageSample, ImageSet } from './imageSet.js'
import { type datasetSchema, parseJson, sampleSchema } from './schemas.js'
import { type ByteSource, indexTar, type TarMember } from './tar.js'

/** One picture of a shard: its labels and where its bytes stand. */
export interface ShardSample {
  readonly record: ImageSample
  readonly image: TarMember
}

interface Pair {
  image?: TarMember
  labels?: TarMember
}

/** True for the file names of shards. */
export function isShard(path: string): boolean {
  return /\.(tar|tar\.gz|tgz)$/i.test(path)
}

const imageExtensions = new Set(['jpg', 'jpeg', 'png', 'webp'])

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
    const slot = imageExtensions.has(extension) ? 'image' : extension === 'json' ? 'labels' : null
    if (!slot) continue
    const pair = pairs.get(key) ?? {}
    if (pair[slot])
      throw new UserError(
        `${source.name} member ${member.name}: a second ${slot === 'image' ? 'image' : '.json'} named ${key}; expected one`,
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
): Pick<ImageSample, 'subject' | 'aus'> {
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
  return Array.from(pairs, ([key, { image, labels }]) => {
    if (!image)
      throw new UserError(
        `${source.name} member ${labels?.name}: its picture is missing; expected ${key}.jpg`,
      )
    if (labelled && !labels)
      throw new UserError(`${source.name} member ${image.name}: its labels are missing; expected ${key}.json`)
    const known = labels ? readLabels(source, labels, aus) : { subject: null, aus: null }
    return { record: { id: key, split, ...known }, image }
  })
}

/** A line of `dataset.json`. */
export type ShardEntry = z.output<typeof datasetSchema>['shards'][number]

/** A sample whose bytes can be had. */
export interface LoadedSample extends ShardSample {
  readonly file: string
  bytes(): Promise<Uint8Array>
}

/** The samples of a shard that lies in memory, unpacked. */
export function samplesInMemory(
  file: string,
  tar: Uint8Array,
  split: string | null,
  aus: readonly number[] | null,
): LoadedSample[] {
  const read = (offset: number, length: number) => tar.subarray(offset, offset + length)
  return indexShard({ name: file, size: tar.length, read }, split, aus).map((sample) => ({
    ...sample,
    file,
    bytes: async () => read(sample.image.offset, sample.image.size),
  }))
}

/** Samples of one shard of a set, their names made unique by the shard's; their number must be what `dataset.json` says. */
export function samplesOfEntry(
  file: string,
  entry: ShardEntry,
  samples: readonly LoadedSample[],
): LoadedSample[] {
  if (entry.images !== undefined && entry.images !== samples.length)
    throw new UserError(`${file}: holds ${samples.length} pictures; dataset.json expects ${entry.images}`)
  return samples.map((sample) => ({
    ...sample,
    record: { ...sample.record, id: `${entry.file}/${sample.record.id}` },
  }))
}

/** A set of samples; `aus` null: the units that its labels name. */
export function sampleSet(
  name: string,
  samples: readonly LoadedSample[],
  aus: readonly number[] | null,
  folds: readonly Fold[] | null,
): ImageSet {
  if (samples.length === 0) throw new UserError(`${name}: no .jpg, .jpeg, .png or .webp file in its shards`)
  return {
    name,
    length: samples.length,
    aus: aus ?? unitsSeen(samples.map((sample) => sample.record.aus)),
    folds,
    sample: (index) => samples[index].record,
    bytes: (index) => samples[index].bytes(),
    describe: (index) => `${samples[index].file} member ${samples[index].image.name}`,
  }
}

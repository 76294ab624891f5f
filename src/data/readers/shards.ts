import { UserError } from '../../errors.js'
import {
  checkSize,
  type FileTree,
  MAX_IMAGE_FILE,
  memorySource,
  optionalFile,
  type TreeFile,
  textOf,
} from '../fileTree.js'
import { FOLDS_FILE, readFolds } from '../foldsFile.js'
import { gunzip, isGzip } from '../gunzip.js'
import { imageSetOf, type ReadImage } from '../imageSetOf.js'
import { type Dataset, datasetSchema, parseJson } from '../schemas.js'
import type { Opening, Reader } from './reader.js'
import { describeLeftOut, indexShard, type LeftOut } from './shardIndex.js'
import type { TarMember } from './tar.js'

const DATASET_FILE = 'dataset.json'

/** A shard to read, with its entry in dataset.json. */
interface Entry {
  readonly file: TreeFile
  readonly identity: string
  /** The path as written; ids of images begin with it. */
  readonly id: string
  readonly split: string | null
  readonly images: number | null
}

interface Shard {
  readonly images: readonly ReadImage[]
  readonly leftOut: LeftOut
}

function isShard(path: string): boolean {
  return /\.(tar|tar\.gz|tgz)$/i.test(path)
}

/**
 * A WebDataset: one shard, or a folder of them with optional `dataset.json` (shards, splits, action units)
 * and `folds.json`. Plain shards are indexed once and read by offset, so they may have any size. Shards
 * compressed by gzip, whatever their names, are held in memory.
 */
export const shardReader: Reader = {
  reads: 'a shard (.tar, .tar.gz, .tgz)',
  noun: 'shard',
  hasSplits: true,
  owns: isShard,

  chosen(files) {
    const own = files.filter(({ path }) => isShard(path) && !path.includes('/'))
    return own.length > 0 ? own : files.filter(({ path }) => path === DATASET_FILE)
  },

  async open(opening) {
    const { tree, options } = opening
    const file = optionalFile(tree, DATASET_FILE)
    const dataset = file && parseJson(await textOf(file), datasetSchema, file.name)
    const all = entriesOf(opening, dataset)
    const entries = options.splits ? ofSplits(tree.folder, all, options.splits) : all
    const aus = dataset?.aus ?? null
    const shards: Shard[] = []
    for (const entry of entries) shards.push(await openShard(entry, aus))
    const name = dataset?.name ?? opening.name
    const images = shards.flatMap((shard) => shard.images)
    const notes = describeLeftOut(shards.map(({ leftOut }) => leftOut)).map((note) => `${name}: ${note}`)
    if (images.length === 0)
      throw new UserError([`${name}: no .jpg, .jpeg, .png or .webp file in its shards`, ...notes].join('; '))
    return {
      set: imageSetOf(images, {
        name,
        aus,
        folds: await readFolds(tree),
        notes,
        ...(dataset?.crop && { crop: dataset.crop }),
      }),
      read: new Set([DATASET_FILE, FOLDS_FILE, ...all.map((entry) => entry.file.path)]),
    }
  },
}

/** The shards in dataset.json, or all shards. A shard given as a file keeps its entry in dataset.json. */
function entriesOf({ tree, files, isFolder }: Opening, dataset: Dataset | null): Entry[] {
  const found = files.filter(({ path }) => isShard(path)).map((file) => plainEntry(tree, file))
  if (!dataset) return found
  if (isFolder) return listedIn(tree, dataset)
  const known = dataset.shards.find(({ file }) => {
    const listed = tree.find(file)
    return 'file' in listed && listed.identity === found[0].identity
  })
  return known ? [{ ...found[0], ...entryOf(known) }] : found
}

function plainEntry(tree: FileTree, file: TreeFile): Entry {
  const found = tree.findOwn(file.path)
  const identity = 'file' in found ? found.identity : file.path
  return { file, identity, id: file.path, split: null, images: null }
}

function entryOf({ file, split, images }: Dataset['shards'][number]): Pick<Entry, 'id' | 'split' | 'images'> {
  return { id: file, split: split ?? null, images: images ?? null }
}

function listedIn(tree: FileTree, dataset: Dataset): Entry[] {
  const names = new Map<string, string>()
  return dataset.shards.map((shard) => {
    const found = tree.find(shard.file)
    if (!('file' in found)) throw new UserError(`${tree.folder}/${shard.file}: ${found.reason}`)
    const twin = names.get(found.identity)
    if (twin !== undefined)
      throw new UserError(
        `${tree.folder}/${DATASET_FILE}: shard "${shard.file}" is listed twice, first as "${twin}"; expected each shard once`,
      )
    names.set(found.identity, shard.file)
    return { ...found, ...entryOf(shard) }
  })
}

/** The shards of these splits. @throws UserError for a split that no shard has. */
function ofSplits(path: string, entries: readonly Entry[], splits: readonly string[]): Entry[] {
  const known = new Set(entries.flatMap(({ split }) => split ?? []))
  const unknown = splits.filter((split) => !known.has(split))
  if (unknown.length > 0)
    throw new UserError(
      `${path}: no shard has split ${unknown.join(', ')}; splits in the data: ${[...known].join(', ') || 'none'}`,
    )
  return entries.filter(({ split }) => split !== null && splits.includes(split))
}

async function openShard(entry: Entry, aus: readonly number[] | null): Promise<Shard> {
  const { file } = entry
  const packed = await isGzip(file)
  const tar = packed ? memorySource(file.name, await gunzip(file)) : null
  const { samples, leftOut } = tar
    ? indexShard(tar, aus)
    : await file.withSource((source) => indexShard(source, aus))
  if (entry.images !== null && entry.images !== samples.length)
    throw new UserError(
      `${file.name}: contains ${samples.length} images; ${DATASET_FILE} lists ${entry.images}`,
    )
  const bytesOf = ({ offset, size, name }: TarMember) => {
    checkSize(`${file.name} member ${name}`, size, MAX_IMAGE_FILE)
    return tar ? tar.read(offset, size) : file.range(offset, size)
  }
  const images = samples.map(
    ({ key, labels, labelledBy, image }): ReadImage => ({
      // The shard's name makes the id unique in the set.
      sample: { id: `${entry.id}/${key}`, split: entry.split, ...labels },
      where: `${file.name} member ${labelledBy}`,
      identity: `${entry.identity}@${image.offset}`,
      name: `${file.name} member ${image.name}`,
      bytes: async () => bytesOf(image),
    }),
  )
  return { images, leftOut }
}

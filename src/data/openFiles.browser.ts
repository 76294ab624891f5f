import { UserError } from '../errors.js'
import { unitsSeen } from './actionUnits.js'
import type { Fold } from './folds.js'
import { isHidden, isImage } from './imageFiles.js'
import type { ImageSet } from './imageSet.js'
import { parseJsonLines } from './jsonLines.js'
import { datasetSchema, foldsSchema, parseJson } from './schemas.js'
import { unpacked } from './webDataset.browser.js'
import { isShard, type ShardEntry, sampleSet, samplesInMemory, samplesOfEntry } from './webDatasetIndex.js'

/** A file that a visitor picked or dropped, and its path from the folder that was picked, that folder's name first. */
export interface PickedFile {
  readonly path: string
  readonly file: File
}

/** Files by their path within the folder. */
interface Folder {
  readonly name: string
  readonly files: ReadonlyMap<string, File>
}

const LABELS = 'labels.jsonl'

/**
 * Opens pictures by what the files are: a folder with `labels.jsonl`, with shards (.tar, .tar.gz), or with pictures; the twin of
 * openImageSet.node.ts. Pictures and plain labels are read when they are wanted; shards are held in memory.
 *
 * @throws UserError that names file and line, if they are none of these or something is wrong in them
 */
export async function openFiles(picked: readonly PickedFile[]): Promise<ImageSet> {
  const folder = folderOf(picked)
  if (folder.files.has(LABELS)) return openLabels(folder)
  if (folder.files.has('dataset.json') || [...folder.files.keys()].some(isShardHere))
    return openShards(folder)
  return openImages(folder)
}

/**
 * Hidden files are left out. macOS takes names apart (é is e and ´), label files mostly do not: both are brought together.
 */
function folderOf(all: readonly PickedFile[]): Folder {
  const picked = all.filter(({ path }) => !isHidden(path))
  const paths = picked.map(({ path }) => path.normalize('NFC'))
  const root = paths[0]?.includes('/') ? paths[0].slice(0, paths[0].indexOf('/') + 1) : ''
  const inside = root !== '' && paths.every((path) => path.startsWith(root))
  const files = new Map(
    picked.map(({ file }, at) => [inside ? paths[at].slice(root.length) : paths[at], file]),
  )
  return { name: inside ? root.slice(0, -1) : 'pictures', files }
}

async function openLabels(folder: Folder): Promise<ImageSet> {
  const text = await textOf(folder, LABELS)
  const records = parseJsonLines(text, full(folder, LABELS), { aus: null, subject: null })
  const paths = records.map(({ id }) => resolved(id))
  const missing = paths.filter((path) => !folder.files.has(path))
  if (missing.length > 0) {
    const more = missing.length > 1 ? `; ${missing.length} files that ${LABELS} names are missing` : ''
    throw new UserError(`${full(folder, missing[0])}: no such file${more}`)
  }
  return {
    name: folder.name,
    length: records.length,
    aus: unitsSeen(records.map(({ aus }) => aus)),
    folds: await readFolds(folder, 'folds.json'),
    sample: (index) => records[index],
    bytes: (index) => bytesOf(folder, paths[index]),
    describe: (index) => full(folder, paths[index]),
  }
}

/** `a/./b/../c.jpg` → `a/c.jpg`. */
function resolved(path: string): string {
  const parts: string[] = []
  for (const part of path.normalize('NFC').split('/')) {
    if (part === '..' && parts.length > 0) parts.pop()
    else if (part !== '.' && part !== '') parts.push(part)
  }
  return parts.join('/')
}

function openImages(folder: Folder): ImageSet {
  const paths = [...folder.files.keys()].filter(isImage).sort()
  if (paths.length === 0)
    throw new UserError(`${folder.name}: no .jpg, .jpeg, .png or .webp file in this folder or below it`)
  return {
    name: folder.name,
    length: paths.length,
    aus: null,
    folds: null,
    sample: (index) => ({ id: paths[index], subject: null, aus: null, split: null }),
    bytes: (index) => bytesOf(folder, paths[index]),
    describe: (index) => full(folder, paths[index]),
  }
}

async function openShards(folder: Folder): Promise<ImageSet> {
  const file = 'dataset.json'
  const dataset = folder.files.has(file)
    ? parseJson(await textOf(folder, file), datasetSchema, full(folder, file))
    : null
  const found = [...folder.files.keys()].filter(isShardHere).sort()
  const entries: readonly ShardEntry[] = dataset?.shards ?? found.map((path) => ({ file: path }))
  const aus = dataset?.aus ?? null
  const samples = await Promise.all(
    entries.map(async (entry) => {
      const name = full(folder, entry.file)
      const tar = await unpacked(name, await bytesOf(folder, entry.file))
      return samplesOfEntry(name, entry, samplesInMemory(name, tar, entry.split ?? null, aus))
    }),
  )
  return sampleSet(dataset?.name ?? folder.name, samples.flat(), aus, await readFolds(folder, 'folds.json'))
}

function isShardHere(path: string): boolean {
  return isShard(path) && !path.includes('/')
}

async function readFolds(folder: Folder, path: string): Promise<readonly Fold[] | null> {
  if (!folder.files.has(path)) return null
  return parseJson(await textOf(folder, path), foldsSchema, full(folder, path)).folds
}

function full({ name }: Folder, path: string): string {
  return `${name}/${path}`
}

async function textOf(folder: Folder, path: string): Promise<string> {
  return new TextDecoder().decode(await bytesOf(folder, path))
}

async function bytesOf(folder: Folder, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = folder.files.get(path)
  if (!file) throw new UserError(`${full(folder, path)}: no such file`)
  try {
    return new Uint8Array(await file.arrayBuffer())
  } catch (error) {
    // A file that was moved or changed since it was picked.
    throw new UserError(`${full(folder, path)}: cannot be read (${(error as Error).message})`)
  }
}

import { UserError } from '../errors.js'
import type { Fold } from './folds.js'
import type { ImageSet } from './imageSet.js'
import { datasetSchema, foldsSchema, parseJson } from './schemas.js'
import { type ShardEntry, sampleSet, samplesInMemory, samplesOfEntry } from './webDatasetIndex.js'

/**
 * A WebDataset on a server: a folder with `dataset.json`, its shards (.tar, .tar.gz) and, where people are dealt out,
 * `folds.json`. All of it is held in memory. Its twin reads files: webDataset.node.ts.
 *
 * @param folder its URL, ending in a slash
 * @param onLoaded hears the share of the shards that are there, 0 … 1
 * @throws UserError naming the file that is missing or damaged
 */
export async function fetchWebDataset(
  folder: URL,
  onLoaded: (share: number) => void = () => {},
): Promise<ImageSet> {
  const datasetFile = new URL('dataset.json', folder)
  const dataset = parseJson(await text(datasetFile), datasetSchema, datasetFile.href)
  const folds = await fetchFolds(new URL('folds.json', folder))
  let loaded = 0
  const shards = await Promise.all(
    dataset.shards.map(async (entry) => {
      const samples = await fetchShard(new URL(entry.file, folder), entry, dataset.aus ?? null)
      onLoaded(++loaded / dataset.shards.length)
      return samples
    }),
  )
  return sampleSet(dataset.name, shards.flat(), dataset.aus ?? null, folds)
}

async function fetchFolds(url: URL): Promise<readonly Fold[] | null> {
  const response = await fetchFile(url)
  if (response.status === 404) return null
  return parseJson(new TextDecoder().decode(await body(url, response)), foldsSchema, url.href).folds
}

async function fetchShard(url: URL, entry: ShardEntry, aus: readonly number[] | null) {
  const tar = await unpacked(url.href, await bytes(url))
  return samplesOfEntry(url.href, entry, samplesInMemory(url.href, tar, entry.split ?? null, aus))
}

async function bytes(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  return body(url, await fetchFile(url))
}

async function fetchFile(url: URL): Promise<Response> {
  return fetch(url).catch((error: Error) => {
    throw cannotFetch(url, error.message)
  })
}

async function body(url: URL, response: Response): Promise<Uint8Array<ArrayBuffer>> {
  if (!response.ok) throw cannotFetch(url, `${response.status} ${response.statusText}`)
  const buffer = await response.arrayBuffer().catch((error: Error) => {
    throw cannotFetch(url, error.message)
  })
  return new Uint8Array(buffer)
}

function cannotFetch(url: URL, reason: string): UserError {
  return new UserError(`${url}: cannot be fetched (${reason})`)
}

async function text(url: URL): Promise<string> {
  return new TextDecoder().decode(await bytes(url))
}

/** A shard's tar. Some servers unpack .gz files on the way; the first two bytes tell. */
export async function unpacked(file: string, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  if (data[0] !== 0x1f || data[1] !== 0x8b) return data
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream('gzip'))
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer())
  } catch (error) {
    throw new UserError(`${file}: truncated or damaged gzip file (${(error as Error).message})`)
  }
}

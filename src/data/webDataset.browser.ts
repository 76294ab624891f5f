import { UserError } from '../errors.js'
import { BlobTree } from './fileTree.browser.js'
import type { ImageSet } from './imageSet.js'
import { openSet } from './openSet.js'
import { datasetSchema, parseJson } from './schemas.js'

/**
 * A WebDataset on a server: a folder with `dataset.json`, its shards (.tar, .tar.gz) and optionally
 * `folds.json`. All files are fetched before they are read.
 *
 * @param folder its URL, ending in a slash
 * @param onLoaded receives the fraction of shards that are loaded, 0 to 1
 * @throws UserError that names the file that is missing or damaged
 */
export async function fetchWebDataset(
  folder: URL,
  onLoaded: (share: number) => void = () => {},
): Promise<ImageSet> {
  const url = (path: string) => new URL(path, folder)
  const description = await fetched(url('dataset.json'))
  const dataset = parseJson(await description.text(), datasetSchema, url('dataset.json').href)
  const folds = await fetchOptional(url('folds.json'))
  let loaded = 0
  const shards = await Promise.all(
    dataset.shards.map(async ({ file }) => {
      const blob = await fetched(url(file))
      onLoaded(++loaded / dataset.shards.length)
      return [file, blob] as const
    }),
  )
  const files: (readonly [string, Blob])[] = [['dataset.json', description], ...shards]
  if (folds) files.push(['folds.json', folds])
  const tree = new BlobTree(dataset.name, files, (path) => url(path).href)
  return openSet({ tree, root: tree, file: null }, {})
}

async function fetchOptional(url: URL): Promise<Blob | null> {
  const response = await fetchFile(url)
  return response.status === 404 ? null : body(url, response)
}

async function fetched(url: URL): Promise<Blob> {
  return body(url, await fetchFile(url))
}

async function fetchFile(url: URL): Promise<Response> {
  return fetch(url).catch((error: Error) => {
    throw cannotFetch(url, error.message)
  })
}

async function body(url: URL, response: Response): Promise<Blob> {
  if (!response.ok) throw cannotFetch(url, `${response.status} ${response.statusText}`)
  return response.blob().catch((error: Error) => {
    throw cannotFetch(url, error.message)
  })
}

function cannotFetch(url: URL, reason: string): UserError {
  return new UserError(`${url}: cannot be fetched (${reason})`)
}

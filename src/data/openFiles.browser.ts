import { BlobTree } from './fileTree.browser.js'
import { isHidden } from './imageFiles.js'
import type { ImageSet } from './imageSet.js'
import { openSet } from './openSet.js'

/** A file that the visitor picked or dropped. The path starts with the name of the picked folder. */
export interface PickedFile {
  readonly path: string
  readonly file: File
}

/**
 * Opens a folder with `labels.jsonl`, shards (.tar, .tar.gz) or images; the counterpart of
 * openImageSet.node.ts. Files are read on demand; gzip shards are held in memory.
 *
 * @throws UserError that names file and line, if there is no data or something is wrong in it
 */
export async function openFiles(picked: readonly PickedFile[]): Promise<ImageSet> {
  const tree = treeOf(picked.filter(({ path }) => !isHidden(path)))
  return openSet({ tree, root: tree, file: null }, {})
}

function treeOf(picked: readonly PickedFile[]): BlobTree {
  const first = picked[0]?.path ?? ''
  const root = first.slice(0, first.indexOf('/') + 1)
  const isFolder = root !== '' && picked.every(({ path }) => path.startsWith(root))
  const name = isFolder ? root.slice(0, -1) : 'images'
  const files = picked.map(({ path, file }) => [isFolder ? path.slice(root.length) : path, file] as const)
  return new BlobTree(name, files, (path) => `${name}/${path}`)
}

import { BlobTree } from './fileTree.browser.js'
import { isHidden } from './imageFiles.js'
import type { ImageSet } from './imageSet.js'
import { openSet } from './openSet.js'

/** A file that a visitor picked or dropped, and its path from the folder that was picked, that folder's name first. */
export interface PickedFile {
  readonly path: string
  readonly file: File
}

/**
 * Opens images by what the files are: a folder with `labels.jsonl`, with shards (.tar, .tar.gz), or with images; the twin of
 * openImageSet.node.ts. Files are read when they are wanted; shards packed by gzip are held in memory.
 *
 * @throws UserError that names file and line, if they are none of these or something is wrong in them
 */
export async function openFiles(picked: readonly PickedFile[]): Promise<ImageSet> {
  const tree = treeOf(picked.filter(({ path }) => !isHidden(path)))
  return openSet({ tree, root: tree, file: null }, {})
}

function treeOf(picked: readonly PickedFile[]): BlobTree {
  const first = picked[0]?.path ?? ''
  const root = first.slice(0, first.indexOf('/') + 1)
  const isFolder = root !== '' && picked.every(({ path }) => path.startsWith(root))
  const name = isFolder ? root.slice(0, -1) : 'pictures'
  const files = picked.map(({ path, file }) => [isFolder ? path.slice(root.length) : path, file] as const)
  return new BlobTree(name, files, (path) => `${name}/${path}`)
}

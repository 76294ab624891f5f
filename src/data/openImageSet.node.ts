import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { UserError } from '../errors.js'
import { cannotRead } from './files.node.js'
import type { TreeFile } from './fileTree.js'
import { DiskTree } from './fileTree.node.js'
import type { ImageSet } from './imageSet.js'
import { openSet } from './openSet.js'
import type { ReadOptions } from './readers/reader.js'

export interface OpenOptions extends ReadOptions {
  /** Label files only: folder that `img_path` is relative to; default: the folder of the label file. */
  readonly root?: string | undefined
  /** Whether paths in labels and dataset.json may lead outside their folder. */
  readonly allowOutside?: boolean | undefined
}

/**
 * Opens a shard (.tar, .tar.gz), a label file (.jsonl, .json), or a folder with labels.jsonl, shards or
 * images.
 *
 * @throws UserError if the path is none of these or contains no images
 */
export async function openImageSet(path: string, options: OpenOptions = {}): Promise<ImageSet> {
  const isFolder = isFolderAt(path)
  const tree = new DiskTree(isFolder ? path : dirname(path), options.allowOutside)
  const root = options.root === undefined ? tree : new DiskTree(options.root, options.allowOutside)
  return openSet({ tree, root, file: isFolder ? null : fileIn(tree, path) }, options)
}

function isFolderAt(path: string): boolean {
  if (path === '') throw new UserError('the data path is empty; expected a file or a folder')
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    throw cannotRead(path, error)
  }
}

function fileIn(tree: DiskTree, path: string): TreeFile {
  const found = tree.findOwn(basename(path))
  if ('file' in found) return found.file
  throw new UserError(`${path}: ${found.reason}`)
}

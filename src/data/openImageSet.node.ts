import { existsSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { UserError } from '../errors.js'
import { cannotRead } from './files.node.js'
import { openImageFolder } from './imageFolder.node.js'
import type { ImageSet } from './imageSet.js'
import { openJsonLines } from './jsonLines.node.js'
import { subjectRule } from './subjectRules.js'
import { holdsShards, openWebDataset } from './webDataset.node.js'
import { isShard } from './webDatasetIndex.js'

export interface OpenOptions {
  /** The action units that labels may name; default: what the set declares, else any FACS unit. */
  readonly aus?: readonly number[] | undefined
  /** WebDataset only: the splits to read; default all. */
  readonly splits?: readonly string[] | undefined
  /** JSON Lines only: folder that `img_path` starts from; default: where the label file stands. */
  readonly root?: string | undefined
  /** JSON Lines only: `bp4d`, `bp4dplus`, `disfa` or a regular expression, applied to `img_path`. */
  readonly subjectFrom?: string | undefined
}

function openFolder(folder: string, options: OpenOptions): ImageSet {
  const labels = join(folder, 'labels.jsonl')
  if (existsSync(labels)) return { ...openLabels(labels, options), name: basename(resolve(folder)) }
  if (holdsShards(folder)) return openWebDataset(folder, options.aus, options.splits)
  refuseSplits(folder, options)
  return openImageFolder(folder)
}

function openLabels(file: string, options: OpenOptions): ImageSet {
  refuseSplits(file, options)
  const subject = options.subjectFrom === undefined ? null : subjectRule(options.subjectFrom)
  return openJsonLines(file, { aus: options.aus ?? null, subject, root: options.root })
}

/** Reading everything instead could train on people who were to be kept apart. */
function refuseSplits(path: string, { splits }: OpenOptions): void {
  if (splits) throw new UserError(`${path}: --split chooses among shards (.tar, .tar.gz); there are none`)
}

/**
 * Opens pictures by what the path is: a shard (.tar, .tar.gz), a label file (.jsonl, .json), or a folder with
 * labels.jsonl, with shards, or with pictures. Throws UserError if it is none of them or holds nothing.
 */
export function openImageSet(path: string, options: OpenOptions = {}): ImageSet {
  let isFolder: boolean
  try {
    isFolder = statSync(path).isDirectory()
  } catch (error) {
    throw cannotRead(path, error)
  }
  if (isFolder) return openFolder(path, options)
  if (isShard(path)) return openWebDataset(path, options.aus, options.splits)
  if (/\.jsonl?$/i.test(path)) return openLabels(path, options)
  throw new UserError(`${path}: expected a folder of pictures, a shard (.tar, .tar.gz) or labels (.jsonl)`)
}

import type { FileTree, TreeFile } from '../fileTree.js'
import type { ImageSet } from '../imageSet.js'

export interface ReadOptions {
  /** Shards only: the splits to read; default: all. */
  readonly splits?: readonly string[] | undefined
  /** Label files only: `bp4d`, `bp4dplus`, `disfa` or a regular expression, applied to `img_path`. */
  readonly subjectFrom?: string | undefined
  /** `skip`: missing images of a label file count as bad images and are not an error. */
  readonly badImages?: 'stop' | 'skip' | undefined
}

/** The input of a reader. */
export interface Opening {
  /** The given folder, or the folder of the given file. */
  readonly tree: FileTree
  /** Folder that paths in label files are relative to. */
  readonly root: FileTree
  /** The given file, or the files that `chosen` selected from the folder. */
  readonly files: readonly TreeFile[]
  readonly isFolder: boolean
  /** Name of the set, unless its files give one. */
  readonly name: string
  readonly options: ReadOptions
}

export interface Opened {
  readonly set: ImageSet
  /** Paths in `tree` of all files that were read for the set. */
  readonly read: ReadonlySet<string>
}

/** One kind of data set. All readers are in table.ts; docs/add-a-reader.md shows how to add one. */
export interface Reader {
  /** What it reads, in messages: `a label file (.jsonl, .json)`. */
  readonly reads: string
  /** One of its files, singular, in messages: `label file`. */
  readonly noun: string
  /** Whether a file of this name is of this kind. */
  owns(path: string): boolean
  /** The files in a folder that this reader would open; none: it does not read this folder. */
  chosen(files: readonly TreeFile[]): readonly TreeFile[]
  /** True if it reads folders only, not a single file. */
  readonly foldersOnly?: boolean
  /** Whether `splits` can select among its files. */
  readonly hasSplits?: boolean
  open(opening: Opening): Promise<Opened>
}

import type { FileTree, TreeFile } from '../fileTree.js'
import type { ImageSet } from '../imageSet.js'

export interface ReadOptions {
  /** Shards only: the splits to read; default all. */
  readonly splits?: readonly string[] | undefined
  /** Label files only: `bp4d`, `bp4dplus`, `disfa` or a regular expression, applied to `img_path`. */
  readonly subjectFrom?: string | undefined
  /** `skip`: images that a label file names and that are missing are bad images, not an error. */
  readonly badImages?: 'stop' | 'skip' | undefined
}

/** What there is to read. */
export interface Opening {
  /** The folder that was given, or that of the file that was given. */
  readonly tree: FileTree
  /** Where the paths in label files start. */
  readonly root: FileTree
  /** The file that was given, or those that `chosen` took from the folder. */
  readonly files: readonly TreeFile[]
  readonly isFolder: boolean
  /** What the set is called, unless it names itself. */
  readonly name: string
  readonly options: ReadOptions
}

export interface Opened {
  readonly set: ImageSet
  /** Paths in `tree` of all files that the set is made of. */
  readonly read: ReadonlySet<string>
}

/** One kind of data set on disk. The table of them is table.ts; docs/add-a-reader.md adds one. */
export interface Reader {
  /** What it reads, as messages list it: `labels (.jsonl, .json)`. */
  readonly reads: string
  /** One of its files, as messages count them: `label file`. */
  readonly noun: string
  /** Whether a file of this name is of its kind. */
  owns(path: string): boolean
  /** The files that make a folder one of its kind; none: it is another's. */
  chosen(files: readonly TreeFile[]): readonly TreeFile[]
  /** Whether one of its files alone is no set. */
  readonly foldersOnly?: boolean
  /** Whether `splits` choose among its files. */
  readonly hasSplits?: boolean
  open(opening: Opening): Promise<Opened>
}

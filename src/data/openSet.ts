import { UserError } from '../errors.js'
import type { FileTree, TreeFile } from './fileTree.js'
import { isOtherImage } from './imageFiles.js'
import type { ImageSet } from './imageSet.js'
import { counted, examples } from './notes.js'
import type { Reader, ReadOptions } from './readers/reader.js'
import { readable, readers } from './readers/table.js'

/** A file or a folder to read, on disk or in a page. */
export interface Source {
  readonly tree: FileTree
  /** The given file; null: the whole folder. */
  readonly file: TreeFile | null
  /** Folder that paths in label files are relative to. */
  readonly root: FileTree
}

/**
 * Opens a set with the first reader of the table that accepts it. The set's notes list what else is in the
 * folder.
 *
 * @throws UserError that names file and line, if no reader accepts it or something is wrong in it
 */
export async function openSet(source: Source, options: ReadOptions): Promise<ImageSet> {
  return source.file ? openFile(source, source.file, options) : openFolder(source, options)
}

async function openFile(source: Source, file: TreeFile, options: ReadOptions): Promise<ImageSet> {
  const reader = readers.find((candidate) => !candidate.foldersOnly && candidate.owns(file.path))
  if (!reader) throw new UserError(`${file.name}: expected ${readable}`)
  refuseSplits(reader, file.name, options)
  const { set } = await reader.open({ ...source, files: [file], isFolder: false, name: file.path, options })
  return set
}

async function openFolder(source: Source, options: ReadOptions): Promise<ImageSet> {
  const { tree } = source
  const { files, notes } = tree.list()
  for (const reader of readers) {
    const chosen = reader.chosen(files)
    if (chosen.length === 0) continue
    refuseSplits(reader, tree.folder, options)
    const opening = { ...source, files: chosen, isFolder: true, name: tree.name, options }
    const { set, read } = await reader.open(opening)
    return { ...set, notes: [...notes, ...(set.notes ?? []), ...unread(tree, files, read)] }
  }
  const others = unread(tree, files, new Set())
  throw new UserError(
    [
      `${tree.folder}: no .jpg, .jpeg, .png or .webp file in this folder or its subfolders`,
      ...notes,
      ...others,
    ].join('; '),
  )
}

/** Ignoring `splits` could train on subjects that were meant to be held out. */
function refuseSplits(reader: Reader, path: string, { splits }: ReadOptions): void {
  if (splits && !reader.hasSplits)
    throw new UserError(`${path}: --split requires shards (.tar, .tar.gz); there are none`)
}

/** One sentence for each kind of data in the folder that is not read. */
function unread(tree: FileTree, files: readonly TreeFile[], read: ReadonlySet<string>): string[] {
  const rest = files.map(({ path }) => path).filter((path) => !read.has(path))
  const kinds = [
    ...readers.map(({ noun, owns }) => ({ one: noun, many: `${noun}s`, owns })),
    { one: 'image of another format', many: 'images of other formats', owns: isOtherImage },
  ]
  return kinds.flatMap(({ one, many, owns }) => {
    const own = rest.filter(owns)
    if (own.length === 0) return []
    return [`${tree.folder}: ${counted(own.length, `${one} is`, `${many} are`)} not read (${examples(own)})`]
  })
}

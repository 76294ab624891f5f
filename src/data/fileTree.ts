import { UserError } from '../errors.js'

/** Largest file that is read into memory as a whole; label files and compressed shards are smaller. */
export const MAX_WHOLE_FILE = 2 ** 30
/** Largest image file: 40 million pixels without compression. Many are in memory at once. */
export const MAX_IMAGE_FILE = 2 ** 27

/** Bytes that can be read at any offset; `name` is used in messages. */
export interface ByteSource {
  readonly name: string
  readonly size: number
  read(offset: number, length: number): Uint8Array
}

export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return { name, size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) }
}

/** A regular file. Its bytes are read on demand. Errors are UserErrors that name the file. */
export interface TreeFile {
  /** Path from the root of its tree, with `/`. */
  readonly path: string
  /** The name in messages. */
  readonly name: string
  /** The whole file. @throws UserError if it has more than `limit` bytes; default MAX_WHOLE_FILE. */
  bytes(limit?: number): Promise<Uint8Array<ArrayBuffer>>
  range(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>
  /** Opens the file for reading at any offset, and calls `use`. */
  withSource<T>(use: (source: ByteSource) => T): Promise<T>
}

/** A file that was found by a path. */
export interface FoundFile {
  readonly file: TreeFile
  /** Identifies the file: the same for all paths that lead to it. */
  readonly identity: string
}

export const NO_SUCH_FILE = 'no such file'

/** Why the file cannot be used; follows the path in messages. */
export interface NotFound {
  readonly reason: string
}

export interface Listing {
  /** Regular files without hidden ones, each once, sorted by path. */
  readonly files: readonly TreeFile[]
  /** What was skipped, one sentence each. */
  readonly notes: readonly string[]
}

/** The files in a folder and its subfolders: on disk in Node, picked or fetched in a browser. */
export interface FileTree {
  /** The name of a set made of these files. */
  readonly name: string
  /** The folder's name in messages. */
  readonly folder: string
  list(): Listing
  /**
   * Finds a file by a path from labels: `/` or `\`, `.` and `..`, any Unicode form. Not outside the folder.
   */
  find(path: string): FoundFile | NotFound
  /** Finds a file by a name that the program or the user gave: links may lead anywhere. */
  findOwn(name: string): FoundFile | NotFound
}

export interface WrittenPath {
  readonly path: string
  /** True if it starts at the root of the file system or at a drive. */
  readonly isAbsolute: boolean
  /** True if `..` leads above its start. */
  readonly escapes: boolean
}

/** `.\a\x\..\b.jpg` → `a/b.jpg`. */
export function readPath(text: string): WrittenPath {
  const unified = text.replaceAll('\\', '/')
  const isAbsolute = /^([a-z]:)?\//i.test(unified)
  const parts: string[] = []
  let escapes = false
  for (const part of unified.split('/')) {
    if (part === '..') escapes ||= parts.pop() === undefined
    else if (part !== '.' && part !== '') parts.push(part)
  }
  return { path: `${unified.startsWith('/') ? '/' : ''}${parts.join('/')}`, isAbsolute, escapes }
}

/** The content of a text file: UTF-8, or UTF-16 LE with a byte order mark (Windows). The mark is removed. */
export async function textOf(file: TreeFile): Promise<string> {
  const bytes = await file.bytes()
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8'
  try {
    return new TextDecoder(encoding).decode(bytes)
  } catch (error) {
    throw cannotRead(file.name, error)
  }
}

/** The file, or null if nothing has that name. @throws UserError if it is not a regular file. */
export function optionalFile(tree: FileTree, name: string): TreeFile | null {
  const found = tree.findOwn(name)
  if ('file' in found) return found.file
  if (found.reason === NO_SUCH_FILE) return null
  throw new UserError(`${tree.folder}/${name}: ${found.reason}`)
}

export function cannotRead(name: string, error: unknown): UserError {
  return new UserError(`${name}: cannot be read (${error instanceof Error ? error.message : String(error)})`)
}

/** @throws UserError that names the file if it has more than `limit` bytes */
export function checkSize(name: string, size: number, limit: number): void {
  if (size > limit) throw new UserError(`${name}: has ${size} bytes; expected at most ${limit}`)
}

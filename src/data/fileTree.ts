import { UserError } from '../errors.js'

/** Files that are read whole are held in memory; anything larger is no image and no label file. */
export const MAX_WHOLE_FILE = 2 ** 30

/** Bytes that can be read anywhere; `name` is what messages call them. */
export interface ByteSource {
  readonly name: string
  readonly size: number
  read(offset: number, length: number): Uint8Array
}

export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return { name, size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) }
}

/** One regular file. Its bytes are fetched when they are wanted; what goes wrong is a UserError that names it. */
export interface TreeFile {
  /** From the root of its tree, `/` between the parts. */
  readonly path: string
  /** What messages call it. */
  readonly name: string
  /** The whole file, of up to MAX_WHOLE_FILE bytes. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>
  range(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>
  /** Runs `use` on the file, readable at any offset. */
  withSource<T>(use: (source: ByteSource) => T): Promise<T>
}

/** A file by a path that someone wrote down. */
export interface FoundFile {
  readonly file: TreeFile
  /** The same for all paths to one file, however they are spelled. */
  readonly identity: string
}

export const NO_SUCH_FILE = 'no such file'

/** Why there is no such file, to follow the path in a message. */
export interface NotFound {
  readonly reason: string
}

export interface Listing {
  /** Regular files, each once, sorted by path; hidden ones are left out. */
  readonly files: readonly TreeFile[]
  /** What was passed over, one sentence each. */
  readonly notes: readonly string[]
}

/** The files below one folder, on a disk or as a page was given them: all that differs between Node and a browser. */
export interface FileTree {
  /** What a set of these files is called. */
  readonly name: string
  /** What messages call the folder. */
  readonly folder: string
  list(): Listing
  /** By a path as labels write it: `/` or `\`, `.` and `..`, accents composed or not. Not outside of the folder. */
  find(path: string): FoundFile | NotFound
  /** By a name that this program or its user gives: a link may lead anywhere. */
  findOwn(name: string): FoundFile | NotFound
}

export interface WrittenPath {
  readonly path: string
  /** Starts at the root of the file system or at a drive. */
  readonly isAbsolute: boolean
  /** Has more `..` than folders. */
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

/** A text file's content: UTF-8, or UTF-16 where its first two bytes say so (Windows). The mark itself is left out. */
export async function textOf(file: TreeFile): Promise<string> {
  const bytes = await file.bytes()
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8'
  try {
    return new TextDecoder(encoding).decode(bytes)
  } catch (error) {
    throw cannotRead(file.name, error)
  }
}

/** Null if there is nothing of that name; what is there and no file is an error. */
export function optionalFile(tree: FileTree, name: string): TreeFile | null {
  const found = tree.findOwn(name)
  if ('file' in found) return found.file
  if (found.reason === NO_SUCH_FILE) return null
  throw new UserError(`${tree.folder}/${name}: ${found.reason}`)
}

export function cannotRead(name: string, error: unknown): UserError {
  return new UserError(`${name}: cannot be read (${error instanceof Error ? error.message : String(error)})`)
}

export function tooLarge(name: string, size: number): UserError {
  return new UserError(`${name}: has ${size} bytes; expected at most ${MAX_WHOLE_FILE}`)
}

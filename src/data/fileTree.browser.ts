import { UserError } from '../errors.js'
import {
  type ByteSource,
  cannotRead,
  checkSize,
  type FileTree,
  type FoundFile,
  type Listing,
  MAX_WHOLE_FILE,
  memorySource,
  NO_SUCH_FILE,
  type NotFound,
  readPath,
  type TreeFile,
} from './fileTree.js'

/** A file that the visitor picked or that was fetched. */
class BlobFile implements TreeFile {
  constructor(
    readonly path: string,
    readonly name: string,
    readonly blob: Blob,
  ) {}

  async bytes(limit = MAX_WHOLE_FILE) {
    checkSize(this.name, this.blob.size, limit)
    return this.#read(this.blob)
  }

  async range(offset: number, length: number) {
    const bytes = await this.#read(this.blob.slice(offset, offset + length))
    if (bytes.length < length) throw new UserError(`${this.name}: the file is truncated`)
    return bytes
  }

  async withSource<T>(use: (source: ByteSource) => T): Promise<T> {
    return use(memorySource(this.name, await this.bytes()))
  }

  async #read(blob: Blob) {
    try {
      return new Uint8Array(await blob.arrayBuffer())
    } catch (error) {
      // The file was moved or changed after it was picked.
      throw cannotRead(this.name, error)
    }
  }
}

/** Picked or fetched files by their paths. Paths are stored in Unicode NFC. */
export class BlobTree implements FileTree {
  readonly #files: ReadonlyMap<string, BlobFile>

  /** @param nameOf name of a file in messages */
  constructor(
    readonly name: string,
    blobs: Iterable<readonly [path: string, blob: Blob]>,
    nameOf: (path: string) => string,
  ) {
    this.folder = name
    this.#files = new Map(
      Array.from(blobs, ([path, blob]) => {
        const composed = path.normalize('NFC')
        return [composed, new BlobFile(composed, nameOf(composed), blob)] as const
      }),
    )
  }

  readonly folder: string

  list(): Listing {
    const files = [...this.#files.values()]
    return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), notes: [] }
  }

  find(path: string): FoundFile | NotFound {
    const { path: inside, isAbsolute, escapes } = readPath(path)
    if (isAbsolute || escapes) return { reason: `outside ${this.name}; expected a path inside it` }
    return this.findOwn(inside)
  }

  findOwn(name: string): FoundFile | NotFound {
    const file = this.#files.get(name.normalize('NFC'))
    return file ? { file, identity: file.path } : { reason: NO_SUCH_FILE }
  }
}

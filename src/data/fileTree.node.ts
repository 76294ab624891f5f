import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { hasCode } from '../errors.js'
import { cannotRead, readRange, readWhole, withFile } from './files.node.js'
import {
  type ByteSource,
  type FileTree,
  type FoundFile,
  type Listing,
  MAX_WHOLE_FILE,
  NO_SUCH_FILE,
  type NotFound,
  readPath,
  type TreeFile,
} from './fileTree.js'
import { FolderWalk, isBelow } from './folderWalk.node.js'

class DiskFile implements TreeFile {
  constructor(
    readonly path: string,
    readonly name: string,
  ) {}

  bytes(limit = MAX_WHOLE_FILE) {
    return readWhole(this.name, limit)
  }

  range(offset: number, length: number) {
    return readRange(this.name, offset, length)
  }

  async withSource<T>(use: (source: ByteSource) => T): Promise<T> {
    return withFile(this.name, use)
  }
}

/** A folder on disk. */
export class DiskTree implements FileTree {
  readonly name: string
  readonly #real: string
  readonly #realFolders = new Map<string, string>()
  /** The names in a folder, by their NFC form. */
  readonly #names = new Map<string, ReadonlyMap<string, string>>()

  /** @param allowOutside whether paths in labels may lead outside the folder */
  constructor(
    readonly folder: string,
    readonly allowOutside = false,
  ) {
    this.name = basename(resolve(folder))
    try {
      this.#real = realpathSync(folder)
    } catch (error) {
      throw cannotRead(folder, error)
    }
  }

  list(): Listing {
    const { paths, notes } = new FolderWalk(this.folder, this.#real)
    return { files: paths.map((path) => new DiskFile(path, join(this.folder, path))), notes }
  }

  find(path: string): FoundFile | NotFound {
    const inside = this.#inside(path)
    if (inside === null && !this.allowOutside)
      return {
        reason: `outside ${this.folder}; expected a path inside it, another --root, or --allow-outside`,
      }
    try {
      const written = inside === null ? resolve(this.folder, path) : join(this.folder, inside)
      const name = inside === null ? written : this.#onDisk(written, inside)
      return this.#at(name, inside === null ? path : this.#fromRoot(name), this.allowOutside)
    } catch (error) {
      return notFound(error)
    }
  }

  findOwn(name: string): FoundFile | NotFound {
    try {
      return this.#at(join(this.folder, name), name, true)
    } catch (error) {
      return notFound(error)
    }
  }

  /** The given path relative to the root, or null if it leads outside. */
  #inside(text: string): string | null {
    const { path, isAbsolute, escapes } = readPath(text)
    if (!isAbsolute) return escapes ? null : path
    const root = [resolve(this.folder), this.#real].find((root) => isBelow(path, root))
    return root === undefined ? null : relative(root, path)
  }

  #at(name: string, path: string, allowOutside: boolean): FoundFile | NotFound {
    const link = lstatSync(name, { bigint: true })
    const real = link.isSymbolicLink()
      ? realpathSync(name)
      : join(this.#realFolder(dirname(name)), basename(name))
    if (!allowOutside && real !== this.#real && !isBelow(real, this.#real))
      return { reason: `a link that leads outside ${this.folder}; --allow-outside follows it` }
    const status = link.isSymbolicLink() ? statSync(real, { bigint: true }) : link
    if (!status.isFile()) return { reason: 'not a regular file' }
    return { file: new DiskFile(path, name), identity: `${status.dev}:${status.ino}` }
  }

  #fromRoot(name: string): string {
    return relative(this.folder, name).split(sep).join('/')
  }

  #realFolder(folder: string): string {
    const known = this.#realFolders.get(folder)
    if (known !== undefined) return known
    const real = realpathSync(folder)
    this.#realFolders.set(folder, real)
    return real
  }

  /** The path on disk. macOS may decompose names (é into e and ´), so this also tries equivalent names. */
  #onDisk(written: string, inside: string): string {
    if (lstatSync(written, { throwIfNoEntry: false })) return written
    let folder = this.folder
    for (const part of inside.split('/')) {
      const name = this.#namesIn(folder).get(part.normalize('NFC'))
      if (name === undefined) return written
      folder = join(folder, name)
    }
    return folder
  }

  #namesIn(folder: string): ReadonlyMap<string, string> {
    const known = this.#names.get(folder)
    if (known) return known
    const names = new Map(readdirSync(folder).map((name) => [name.normalize('NFC'), name]))
    this.#names.set(folder, names)
    return names
  }
}

/** Error codes of a missing file, including those for impossible names. */
const noFile = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE']

function notFound(error: unknown): NotFound {
  const isMissing = noFile.some((code) => hasCode(error, code))
  return { reason: isMissing ? NO_SUCH_FILE : (error as Error).message }
}

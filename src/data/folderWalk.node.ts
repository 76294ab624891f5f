import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { cannotRead } from './files.node.js'
import { isHidden } from './imageFiles.js'
import { counted, examples } from './notes.js'

/**
 * Every regular file in a folder and its subfolders, once. Links to folders are followed, but no folder is
 * read twice, so circular links end the walk. Links to files of the folder itself are skipped.
 */
export class FolderWalk {
  /** Sorted, with `/`. */
  readonly paths: readonly string[]
  /** What was skipped, one sentence each. */
  readonly notes: readonly string[]

  readonly #files: string[] = []
  /** Real paths of the folders that were read, by their paths. */
  readonly #folders = new Map<string, string>()
  readonly #visited = new Set<string>()
  readonly #folderLinks: string[] = []
  readonly #fileLinks: string[] = []
  readonly #again: string[] = []
  readonly #broken: string[] = []
  readonly #special: string[] = []

  constructor(
    readonly folder: string,
    readonly real: string,
  ) {
    this.#enter('', real)
    this.#followFolders()
    const copies = this.#followFiles()
    this.paths = this.#files.sort()
    const told = [
      {
        paths: this.#again,
        what: [
          'link is skipped: its target is read already',
          'links are skipped: their targets are read already',
        ],
      },
      {
        paths: copies,
        what: ['link has the same target as another', 'links have the same target as another'],
      },
      { paths: this.#broken, what: ['broken link', 'broken links'] },
      {
        paths: this.#special,
        what: ['pipe, socket or device is not read', 'pipes, sockets or devices are not read'],
      },
    ]
    this.notes = told
      .filter(({ paths }) => paths.length > 0)
      .map(({ paths, what }) => `${folder}: ${counted(paths.length, what[0], what[1])} (${examples(paths)})`)
  }

  /** Reads a folder and its subfolders. Links wait until all real files are known. */
  #enter(start: string, startReal: string): void {
    const waiting = [{ path: start, real: startReal }]
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { path, real } = next
      if (this.#visited.has(real)) {
        this.#again.push(path)
        continue
      }
      this.#visited.add(real)
      this.#folders.set(path, real)
      for (const entry of entriesOf(join(this.folder, path))) {
        const inside = path === '' ? entry.name : `${path}/${entry.name}`
        if (isHidden(entry.name)) continue
        if (entry.isDirectory()) waiting.push({ path: inside, real: join(real, entry.name) })
        else this.#take(entry, inside)
      }
    }
  }

  #take(entry: Dirent, path: string): void {
    if (entry.isFile()) this.#files.push(path)
    else if (entry.isSymbolicLink()) this.#sortLink(path)
    else this.#special.push(path)
  }

  #sortLink(path: string): void {
    try {
      const status = statSync(join(this.folder, path))
      if (status.isDirectory()) this.#folderLinks.push(path)
      else if (status.isFile()) this.#fileLinks.push(path)
      else this.#special.push(path)
    } catch {
      // The target does not exist, or the link leads to itself.
      this.#broken.push(path)
    }
  }

  /** Links inside linked folders are appended to the list. */
  #followFolders(): void {
    for (let at = 0; at < this.#folderLinks.length; at++) {
      const path = this.#folderLinks[at]
      const real = realpathSync(join(this.folder, path))
      if (isBelow(this.real, real)) this.#again.push(path)
      else this.#enter(path, real)
    }
  }

  /**
   * Adds links to files outside the folder. Returns those whose target an earlier link has; they count too.
   */
  #followFiles(): string[] {
    if (this.#fileLinks.length === 0) return []
    const own = new Set(this.#files.map((path) => join(this.#realFolder(path), basename(path))))
    const elsewhere = new Set<string>()
    const copies: string[] = []
    for (const path of this.#fileLinks.sort()) {
      const real = realpathSync(join(this.folder, path))
      if (own.has(real)) {
        this.#again.push(path)
        continue
      }
      if (elsewhere.has(real)) copies.push(path)
      elsewhere.add(real)
      this.#files.push(path)
    }
    return copies
  }

  #realFolder(path: string): string {
    const folder = dirname(path)
    return this.#folders.get(folder === '.' ? '' : folder) ?? folder
  }
}

/** True if the path is inside the folder. Both are absolute. */
export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    throw cannotRead(folder, error)
  }
}

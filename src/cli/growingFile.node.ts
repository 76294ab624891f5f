import { existsSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { cannotWrite } from '../atomicWrite.node.js'
import { UserError } from '../errors.js'
import { makeFolders } from '../folders.node.js'

/** A new file that is written piece by piece; what was written stays, whatever happens later. */
export class GrowingFile {
  #length = 0

  constructor(
    readonly path: string,
    readonly handle: FileHandle,
  ) {}

  /** @throws UserError if the file exists or cannot be created */
  static async create(path: string): Promise<GrowingFile> {
    requireNew(path)
    try {
      return new GrowingFile(path, await open(path, 'wx'))
    } catch (error) {
      throw cannotWrite(path, error)
    }
  }

  /**
   * Writes a whole piece, or none of it: a disk that is full leaves no half of a row.
   * @throws UserError if it cannot be written
   */
  async append(piece: string | Uint8Array): Promise<void> {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    try {
      for (let start = 0; start < bytes.length; ) {
        const { bytesWritten } = await this.handle.write(
          bytes,
          start,
          bytes.length - start,
          this.#length + start,
        )
        start += bytesWritten
      }
      this.#length += bytes.length
    } catch (error) {
      await this.handle.truncate(this.#length).catch(() => {})
      throw cannotWrite(this.path, error)
    }
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

/** @throws UserError if there is a file */
export function requireNew(path: string): void {
  if (existsSync(path)) throw new UserError(`${path} already exists; choose another name`)
}

/** `path` itself, or the file `name` in it if it is a folder. A path that ends in a slash is a folder to create. */
export function fileAt(path: string, name: string): string {
  if (path.endsWith('/')) makeFolders(path)
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? join(path, name) : path
}

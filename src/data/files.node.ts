import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { hasCode, UserError } from '../errors.js'
import { Budget } from './budget.js'
import { type ByteSource, checkSize, cannotRead as refused } from './fileTree.js'

/** Limits open files: a batch may have more images than a process may open. */
const openFiles = new Budget(16)

export function cannotRead(path: string, error: unknown): UserError {
  return hasCode(error, 'ENOENT') ? new UserError(`${path}: no such file or folder`) : refused(path, error)
}

/** Opens the file for reading at any offset, calls `use`, and closes it. */
export function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  const handle = guarded(path, () => openSync(path, 'r'))
  try {
    const read = (offset: number, length: number) => {
      const bytes = new Uint8Array(length)
      for (let done = 0; done < length; ) {
        const count = guarded(path, () => readSync(handle, bytes, done, length - done, offset + done))
        if (count === 0) throw new UserError(`${path}: the file is truncated`)
        done += count
      }
      return bytes
    }
    return use({ name: path, size: guarded(path, () => statSync(path).size), read })
  } finally {
    closeSync(handle)
  }
}

function guarded<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw cannotRead(path, error)
  }
}

/**
 * `length` bytes at `offset`. Opens the file each time, because a set may have more shards than file handles.
 */
export function readRange(path: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  return whileOpen(path, (handle) => fill(path, handle, offset, length))
}

/** The whole file, if it has at most `limit` bytes. */
export function readWhole(path: string, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  return whileOpen(path, async (handle) => {
    const { size } = await handle.stat()
    checkSize(path, size, limit)
    return fill(path, handle, 0, size)
  })
}

function whileOpen<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  return openFiles.run(1, async () => {
    let handle: FileHandle | undefined
    try {
      handle = await open(path, 'r')
      return await use(handle)
    } catch (error) {
      throw error instanceof UserError ? error : cannotRead(path, error)
    } finally {
      await handle?.close()
    }
  })
}

/** Reads until `bytes` is full: a single read may return less. */
async function fill(path: string, handle: FileHandle, offset: number, length: number) {
  const bytes = new Uint8Array(length)
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
    if (bytesRead === 0) throw new UserError(`${path}: the file is truncated`)
    done += bytesRead
  }
  return bytes
}

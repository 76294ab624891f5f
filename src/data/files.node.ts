import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { hasCode, UserError } from '../errors.js'
import { Budget } from './budget.js'
import { type ByteSource, MAX_WHOLE_FILE, cannotRead as refused, tooLarge } from './fileTree.js'

/** Batches may be larger than the number of files that a process may hold open. */
const openFiles = new Budget(16)

export function cannotRead(path: string, error: unknown): UserError {
  return hasCode(error, 'ENOENT') ? new UserError(`${path}: no such file or folder`) : refused(path, error)
}

/** Runs `use` on the file, readable at any offset, and closes it again. */
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

/** `length` bytes at `offset`. The file is opened each time: sets may have more shards than a process may hold open. */
export function readRange(path: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  return whileOpen(path, (handle) => fill(path, handle, offset, length))
}

/** The whole file. */
export function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return whileOpen(path, async (handle) => {
    const { size } = await handle.stat()
    if (size > MAX_WHOLE_FILE) throw tooLarge(path, size)
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

/** One read may give less than was asked for. */
async function fill(path: string, handle: FileHandle, offset: number, length: number) {
  const bytes = new Uint8Array(length)
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
    if (bytesRead === 0) throw new UserError(`${path}: the file is truncated`)
    done += bytesRead
  }
  return bytes
}

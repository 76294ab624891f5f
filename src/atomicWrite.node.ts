import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hasCode, UserError } from './errors.js'

/** One system call writes less than 2 GiB. */
const largestWrite = 2 ** 26

/** What a failed write means to the user. */
export function cannotWrite(path: string, error: unknown): UserError {
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT'))
    return new UserError(`${path}: disk full; nothing was changed there. Free some space or write elsewhere`)
  if (hasCode(error, 'ENOENT')) return new UserError(`${path}: the folder ${dirname(path)} does not exist`)
  if (hasCode(error, 'EROFS')) return new UserError(`${path}: the file system is read-only; write elsewhere`)
  if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM'))
    return new UserError(`${path}: no permission to write there`)
  return new UserError(
    `${path}: cannot be written (${error instanceof Error ? error.message : String(error)})`,
  )
}

/** A name beside `path` that no other writer uses, hidden. `isTemporary` knows it. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.part`)
}

/** True for the name of a temporary file; those of 0.2.0 had no number of their own. */
export function isTemporary(name: string): boolean {
  return /^\..+\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.part$|^\.checkpoint\.safetensors\.part$/.test(
    name,
  )
}

/**
 * Replaces the file as a whole or not at all: the pieces go to a temporary file beside it, which is flushed to disk
 * and renamed. If anything fails, the old file stands untouched and UserError says why.
 */
export async function writeAtomically(
  path: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = temporaryBeside(path)
  let handle: FileHandle | undefined
  try {
    handle = await open(temporary, 'wx')
    for await (const piece of pieces) await writeAll(handle, piece)
    await handle.sync()
    await handle.close()
    handle = undefined
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await handle?.close().catch(() => {})
    await rm(temporary, { force: true }).catch(() => {})
    throw error instanceof Error && 'code' in error ? cannotWrite(path, error) : error
  }
}

async function writeAll(handle: FileHandle, piece: Uint8Array): Promise<void> {
  for (let start = 0; start < piece.length; ) {
    const { bytesWritten } = await handle.write(piece, start, Math.min(largestWrite, piece.length - start))
    start += bytesWritten
  }
}

/** Makes a rename outlive a power cut. The new file stands already, so a system that cannot do this is no failure. */
async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(folder, 'r')
    await handle.sync()
  } catch {
    // Windows does not open folders; some network file systems do not sync them.
  } finally {
    await handle?.close()
  }
}

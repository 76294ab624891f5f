import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hasCode, UserError } from '../../errors.js'

/** One system call writes less than 2 GiB. */
const largestWrite = 2 ** 26

/** What a failed write means to the user. */
export function cannotWrite(path: string, error: unknown): UserError {
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT'))
    return new UserError(`${path}: disk full; nothing was changed there. Free some space or write elsewhere`)
  if (hasCode(error, 'ENOENT')) return new UserError(`${path}: the folder ${dirname(path)} does not exist`)
  if (hasCode(error, 'EACCES') || hasCode(error, 'EROFS') || hasCode(error, 'EPERM'))
    return new UserError(`${path}: no permission to write there`)
  return new UserError(
    `${path}: cannot be written (${error instanceof Error ? error.message : String(error)})`,
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
  const temporary = join(dirname(path), `.${basename(path)}.part`)
  let handle: FileHandle | undefined
  try {
    handle = await open(temporary, 'w')
    for await (const piece of pieces) await writeAll(handle, piece)
    await handle.sync()
    await handle.close()
    handle = undefined
    await rename(temporary, path)
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

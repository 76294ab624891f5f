import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hasCode, UserError } from './errors.js'

/** A single system call writes less than 2 GiB. */
const LARGEST_WRITE = 2 ** 26

/** Turns an error of a failed write into a message for the user. */
export function cannotWrite(path: string, error: unknown): UserError {
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT'))
    return new UserError(
      `${path}: disk full; existing files are unchanged. Free some space or choose another folder`,
    )
  if (hasCode(error, 'ENOENT')) return new UserError(`${path}: the folder ${dirname(path)} does not exist`)
  if (hasCode(error, 'EROFS'))
    return new UserError(`${path}: the file system is read-only; choose another folder`)
  if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM'))
    return new UserError(`${path}: no write permission`)
  return new UserError(
    `${path}: cannot be written (${error instanceof Error ? error.message : String(error)})`,
  )
}

/** A unique hidden file name in the folder of `path`. `isTemporary` recognizes it. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.part`)
}

/** True for the name of a temporary file, including the fixed name that 0.2.0 used. */
export function isTemporary(name: string): boolean {
  return /^\..+\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.part$|^\.checkpoint\.safetensors\.part$/.test(
    name,
  )
}

/**
 * Replaces the file completely or not at all: the pieces are written to a temporary file in the same folder,
 * which is flushed to disk and renamed.
 *
 * @throws UserError if anything fails; the old file is then unchanged.
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

/** Replaces the file with `value` as JSON; what is no file, such as /dev/stdout, is written to as it is. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(value, null, 1)}\n`)
  const isSpecial = await stat(path).then(
    (status) => !status.isFile(),
    () => false,
  )
  if (!isSpecial) return writeAtomically(path, [bytes])
  await writeFile(path, bytes).catch((error: unknown) => {
    throw cannotWrite(path, error)
  })
}

async function writeAll(handle: FileHandle, piece: Uint8Array): Promise<void> {
  for (let start = 0; start < piece.length; ) {
    const { bytesWritten } = await handle.write(piece, start, Math.min(LARGEST_WRITE, piece.length - start))
    start += bytesWritten
  }
}

/** Makes the rename survive a power failure. Errors are ignored, because the new file is already in place. */
async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(folder, 'r')
    await handle.sync()
  } catch {
    // Windows cannot open folders; some network file systems cannot sync them.
  } finally {
    await handle?.close()
  }
}

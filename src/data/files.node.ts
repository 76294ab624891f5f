import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { hasCode, UserError } from '../errors.js'
import type { Fold } from './folds.js'
import { isHidden } from './imageFiles.js'
import { foldsSchema, parseJson } from './schemas.js'
import type { ByteSource } from './tar.js'

/** Inflated archives are held in memory; above this they belong on disk. */
const maxInflated = 2 ** 30

/** A file's text, or a UserError that names it. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw cannotRead(path, error)
  }
}

/** Names in a folder, sorted, or paths in it and below; hidden ones are left out. */
export function listFolder(folder: string, { recursive }: { recursive: boolean }): string[] {
  try {
    const paths = readdirSync(folder, { recursive, encoding: 'utf8' })
    return paths.filter((path) => !isHidden(path)).sort()
  } catch (error) {
    throw cannotRead(folder, error)
  }
}

export function cannotRead(path: string, error: unknown): UserError {
  if (hasCode(error, 'ENOENT')) return new UserError(`${path}: no such file or folder`)
  return new UserError(`${path}: cannot be read (${error instanceof Error ? error.message : String(error)})`)
}

/** Runs `use` on the file, readable at any offset, and closes it again. */
export function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  let handle: number
  try {
    handle = openSync(path, 'r')
  } catch (error) {
    throw cannotRead(path, error)
  }
  try {
    const read = (offset: number, length: number) => {
      const bytes = new Uint8Array(length)
      if (readSync(handle, bytes, 0, length, offset) < length)
        throw new UserError(`${path}: the file is truncated`)
      return bytes
    }
    return use({ name: path, size: statSync(path).size, read })
  } finally {
    closeSync(handle)
  }
}

/** `length` bytes at `offset`. The file is opened each time: sets may have more shards than a process may hold open. */
export async function readRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'r')
    const bytes = new Uint8Array(length)
    const { bytesRead } = await handle.read(bytes, 0, length, offset)
    if (bytesRead < length) throw new UserError(`${path}: the file is truncated`)
    return bytes
  } catch (error) {
    throw error instanceof UserError ? error : cannotRead(path, error)
  } finally {
    await handle?.close()
  }
}

/** A gzip file, inflated in memory. */
export function inflate(path: string): Uint8Array {
  let packed: Uint8Array
  try {
    packed = readFileSync(path)
  } catch (error) {
    throw cannotRead(path, error)
  }
  try {
    return gunzipSync(packed, { maxOutputLength: maxInflated })
  } catch (error) {
    if (hasCode(error, 'ERR_BUFFER_TOO_LARGE'))
      throw new UserError(`${path}: inflates to more than 1 GiB; unpack it first: gunzip ${path}`)
    throw new UserError(`${path}: truncated or damaged gzip file (${(error as Error).message})`)
  }
}

/** `folds.json` at that path, if there is one. */
export function readFolds(path: string): readonly Fold[] | null {
  return existsSync(path) ? parseJson(readText(path), foldsSchema, path).folds : null
}

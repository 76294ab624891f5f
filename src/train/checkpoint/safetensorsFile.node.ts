import { type FileHandle, open, stat } from 'node:fs/promises'
import { writeAtomically } from '../../atomicWrite.node.js'
import { cannotRead } from '../../data/files.node.js'
import { UserError } from '../../errors.js'
import {
  decodeTensor,
  encodeSafetensors,
  headerLength,
  parseHeader,
  type SafeTensor,
  type SafetensorsFile,
} from './safetensors.js'

/** A single system call reads less than 2 GiB. */
const LARGEST_READ = 2 ** 26

/** Writes the tensors atomically; see `writeAtomically`. */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, SafeTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  return writeAtomically(path, encodeSafetensors(tensors, metadata))
}

/** Reads a file of any size, tensor by tensor. @throws UserError that names the file and the error */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  let handle: FileHandle | undefined
  try {
    // Opening a pipe waits for its writer.
    if (!(await stat(path)).isFile()) throw new UserError(`${path}: not a regular file`)
    handle = await open(path, 'r')
    const { size } = await handle.stat()
    const length = headerLength(await readBytes(handle, 0, Math.min(8, size)), size, path)
    const { entries, metadata } = parseHeader(await readBytes(handle, 8, length), size, path)
    const tensors = new Map<string, SafeTensor>()
    for (const entry of entries)
      tensors.set(entry.name, decodeTensor(entry, await readBytes(handle, entry.offset, entry.length), path))
    return { tensors, metadata }
  } catch (error) {
    throw error instanceof UserError ? error : cannotRead(path, error)
  } finally {
    await handle?.close()
  }
}

async function readBytes(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(bytes, at, Math.min(LARGEST_READ, length - at), offset + at)
    if (bytesRead === 0) throw new Error(`the file ended at byte ${offset + at} while it was read`)
    at += bytesRead
  }
  return bytes
}

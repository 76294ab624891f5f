import { UserError } from '../../errors.js'

/** A file that is read in pieces: on disk, picked in a page, or in memory. */
export interface ByteFile {
  /** The name in messages. */
  readonly name: string
  readonly size: number
  /** `length` bytes at `offset`, in memory of their own. @throws UserError that names the file, if it ends before. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>
}

export function blobFile(name: string, blob: Blob): ByteFile {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      const bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer())
      if (bytes.length < length) throw endsBefore(name, offset + length, blob.size)
      return bytes
    },
  }
}

export function endsBefore(name: string, wanted: number, size: number): UserError {
  return new UserError(`${name}: truncated: byte ${wanted} is needed, but the file has ${size} bytes`)
}

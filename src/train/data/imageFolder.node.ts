import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { UserError } from '../errors.js'
import { cannotRead } from './files.node.js'
import type { ImageSet } from './imageSet.js'

/** A picture file's bytes, or a UserError that names it. */
export async function readPicture(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    throw cannotRead(path, error)
  }
}

/** Every .jpg, .jpeg, .png and .webp file below the folder, sorted by path, without labels: for pretraining. */
export function openImageFolder(folder: string): ImageSet {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(jpe?g|png|webp)$/i.test(file))
    .sort()
  if (files.length === 0)
    throw new UserError(`${folder}: no .jpg, .jpeg, .png or .webp file in this folder or below it`)
  return {
    name: basename(resolve(folder)),
    length: files.length,
    aus: null,
    folds: null,
    record: (index) => ({ id: files[index], subject: null, aus: null, split: null }),
    bytes: (index) => readPicture(join(folder, files[index])),
    describe: (index) => join(folder, files[index]),
  }
}

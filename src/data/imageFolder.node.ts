import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { UserError } from '../errors.js'
import { cannotRead, listFolder } from './files.node.js'
import { isImage } from './imageFiles.js'
import type { ImageSet } from './imageSet.js'

/** A picture file's bytes, or a UserError that names it. */
export async function readImage(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    throw cannotRead(path, error)
  }
}

/** A folder may be called x.jpg. A link that leads nowhere is none: it shows as a missing picture. */
function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** Every .jpg, .jpeg, .png and .webp file below the folder, sorted by path, without labels: for pretraining. */
export function openImageFolder(folder: string): ImageSet {
  const files = listFolder(folder, { recursive: true }).filter(
    (path) => isImage(path) && !isFolder(join(folder, path)),
  )
  if (files.length === 0)
    throw new UserError(`${folder}: no .jpg, .jpeg, .png or .webp file in this folder or below it`)
  return {
    name: basename(resolve(folder)),
    length: files.length,
    aus: null,
    folds: null,
    sample: (index) => ({ id: files[index], subject: null, aus: null, split: null }),
    bytes: (index) => readImage(join(folder, files[index])),
    describe: (index) => join(folder, files[index]),
  }
}

import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { cannotRead, readRange } from '../../data/files.node.js'
import { UserError } from '../../errors.js'
import type { ByteFile } from './byteFile.js'
import { openWeightFolder, openWeights, type WeightFolder } from './openWeights.js'
import type { WeightFile } from './weightFile.js'

/** The weights at a path: a file, or a folder as the Hugging Face hub has them. @throws UserError that names the path */
export async function openWeightsAt(path: string): Promise<WeightFile> {
  return statOf(path).isDirectory() ? openWeightFolder(diskFolder(path)) : openWeights(diskFile(path))
}

function diskFile(path: string): ByteFile {
  const stat = statOf(path)
  // Opening a pipe waits for its writer.
  if (!stat.isFile()) throw new UserError(`${path}: not a regular file`)
  return { name: path, size: stat.size, read: (offset, length) => readRange(path, offset, length) }
}

function diskFolder(path: string): WeightFolder {
  return {
    name: path,
    async find(name) {
      const file = join(path, name)
      return existsSync(file) ? diskFile(file) : null
    },
  }
}

function statOf(path: string) {
  try {
    return statSync(path)
  } catch (error) {
    throw cannotRead(path, error)
  }
}

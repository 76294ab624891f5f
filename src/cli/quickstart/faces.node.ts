import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openImageSet } from '../../data/openImageSet.node.js'
import { UserError } from '../../errors.js'

/** The faces that come with the project, next to `dist`. */
export function openBundledFaces() {
  const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'data', 'faces')
  if (!existsSync(folder))
    throw new UserError(`${folder}: the bundled faces are missing; clone the repository again`)
  return openImageSet(folder)
}

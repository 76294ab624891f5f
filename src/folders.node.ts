import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { UserError } from './errors.js'

/**
 * Creates the folder and its parents. Node's `recursive` option reports ENOENT on a read-only file system,
 * and never returns where folders cannot be created, such as in /proc.
 */
export function makeFolders(path: string, mode = 0o777): void {
  const whole = resolve(path)
  if (!existsSync(dirname(whole))) makeFolders(dirname(whole), mode)
  try {
    mkdirSync(whole, mode)
  } catch (error) {
    // A read-only file system may report an error for an existing folder.
    if (!statSync(whole, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
}

/**
 * Creates a folder that programs are loaded from, accessible to this user only.
 *
 * @throws UserError if the folder exists and another user could have written to it.
 */
export function makeOwnFolder(path: string): void {
  makeFolders(path, 0o700)
  const { uid, mode } = statSync(path)
  const user = process.getuid?.()
  if (user === undefined) return
  if (uid !== user && uid !== 0)
    throw new UserError(
      `${path}: belongs to another user (${uid}), so nothing is loaded from it. Remove the folder`,
    )
  if (mode & 0o002)
    throw new UserError(
      `${path}: every user may write to it, so nothing is loaded from it. Remove the folder`,
    )
}

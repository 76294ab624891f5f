import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { UserError } from './errors.js'

/**
 * Makes the folder and those above it. Node's own `recursive` says ENOENT of a read-only system, and never returns
 * where none can be made, as in /proc.
 */
export function makeFolders(path: string, mode = 0o777): void {
  const whole = resolve(path)
  if (!existsSync(dirname(whole))) makeFolders(dirname(whole), mode)
  try {
    mkdirSync(whole, mode)
  } catch (error) {
    // A read-only system may complain of a folder that is there.
    if (!statSync(whole, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
}

/**
 * Makes a folder that programs are loaded from, for this user alone.
 *
 * @throws UserError if it is there already and another user could have filled it.
 */
export function makeOwnFolder(path: string): void {
  makeFolders(path, 0o700)
  const { uid, mode } = statSync(path)
  const user = process.getuid?.()
  if (user === undefined) return
  if (uid !== user && uid !== 0)
    throw new UserError(`${path}: belongs to another user (${uid}); nothing is loaded from it. Remove it`)
  if (mode & 0o002) throw new UserError(`${path}: every user may write there; nothing is loaded from it`)
}

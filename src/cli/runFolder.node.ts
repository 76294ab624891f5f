import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cannotWrite, isTemporary } from '../atomicWrite.node.js'
import { hasCode, UserError } from '../errors.js'
import { type Holder, isHere, takeLock } from '../fileLock.node.js'
import { makeFolders } from '../folders.node.js'
import { RunLog } from './runLog.node.js'

export function checkpointPath(out: string): string {
  return join(out, 'checkpoint.safetensors')
}

export function bestPath(out: string): string {
  return join(out, 'checkpoint-best.safetensors')
}

export function makeFolder(path: string): void {
  try {
    makeFolders(path)
  } catch (error) {
    if (hasCode(error, 'EEXIST') || hasCode(error, 'ENOTDIR'))
      throw new UserError(`${path}: a file is in the way; expected a folder, or nothing yet`)
    if (hasCode(error, 'ENOENT')) throw new UserError(`${path}: this file system takes no new folders`)
    throw cannotWrite(path, error)
  }
}

/**
 * Makes `--out` before any work is done and keeps it for this process until it ends. What an earlier run saved there is
 * never overwritten.
 */
export function prepareOut(out: string, resume: boolean): void {
  const path = checkpointPath(out)
  if (resume && !existsSync(path))
    throw new UserError(`--resume: there is no ${path}; start without --resume`)
  keepFolder(out)
  const saved = [path, bestPath(out)].find((file) => existsSync(file))
  if (!resume && saved)
    throw new UserError(
      `${saved} is there already: add --resume to go on with it, or give another folder by --out`,
    )
}

/** Makes the folder and keeps it for this process until it ends. @throws UserError if another run has it. */
export function keepFolder(folder: string): void {
  const holder = tryToKeep(folder)
  if (holder !== true) throw inUse(folder, holder)
}

/** True if the folder is this process's now, else who has it. */
export function tryToKeep(folder: string): true | Holder | null {
  makeFolder(folder)
  const taking = takeLock(lockPath(folder))
  if (!taking.release) return taking.held
  process.once('exit', taking.release)
  if (taking.stale)
    console.log(`${folder}: the run that had this folder (process ${taking.stale.pid}) has ended; going on.`)
  return true
}

function lockPath(folder: string): string {
  return join(folder, 'run.lock')
}

function inUse(folder: string, holder: Holder | null): UserError {
  const lock = lockPath(folder)
  if (holder && isHere(holder))
    return new UserError(
      `${folder}: another run (process ${holder.pid}) is using this folder; wait for its end, or give another folder by --out`,
    )
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'somebody'
  return new UserError(
    `${folder}: ${who} is using this folder, says ${lock}; if that run has ended, delete ${lock}`,
  )
}

/** Removes what a killed run left half written in its folder, which this process must keep. */
export function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) if (isTemporary(name)) rmSync(join(folder, name), { force: true })
}

/** A log of the run; one that starts afresh begins it anew. */
export function openLog(out: string, name: string, resume: boolean): RunLog {
  const path = join(out, name)
  try {
    if (!resume) rmSync(path, { force: true })
  } catch (error) {
    throw cannotWrite(path, error)
  }
  return new RunLog(path)
}

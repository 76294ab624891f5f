import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
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
      throw new UserError(`${path}: a file is in the way; expected a folder or a new path`)
    if (hasCode(error, 'ENOENT')) throw new UserError(`${path}: this file system does not allow new folders`)
    throw cannotWrite(path, error)
  }
}

/**
 * Creates `--out` before any work is done and locks it until this process ends. Never overwrites what an earlier run
 * saved there.
 */
export function prepareOut(out: string, resume: boolean): void {
  const path = checkpointPath(out)
  if (resume && !existsSync(path)) throw nothingToResume(out)
  keepFolder(out)
  const saved = savedStates(out)[0]
  if (!resume && saved)
    throw new UserError(
      `${saved} already exists; add --resume to continue that run, or choose another folder with --out`,
    )
}

function nothingToResume(out: string): UserError {
  const missing = `--resume: ${checkpointPath(out)} does not exist`
  const saved = savedStates(out)[0]
  return new UserError(
    saved
      ? `${missing}; copy ${saved} to that name to continue from it`
      : `${missing}; start without --resume`,
  )
}

/** Every checkpoint in the folder, the newest state first: a run without its newest one is still a run. */
function savedStates(out: string): string[] {
  const isFolder = statSync(out, { throwIfNoEntry: false })?.isDirectory()
  const stepOf = (name: string) =>
    Number(/-step(\d+)/.exec(name)?.[1] ?? (name.includes('-best') ? -1 : Infinity))
  return (isFolder ? readdirSync(out) : [])
    .filter((name) => /^checkpoint(-best|-step\d+)?\.safetensors$/.test(name))
    .sort((a, b) => stepOf(b) - stepOf(a))
    .map((name) => join(out, name))
}

/** Creates the folder and locks it until this process ends. @throws UserError if another run holds it. */
export function keepFolder(folder: string): void {
  const holder = tryToKeep(folder)
  if (holder !== true) throw inUse(folder, holder)
}

/** True if this process now holds the folder, otherwise its holder. */
export function tryToKeep(folder: string): true | Holder | null {
  makeFolder(folder)
  const taking = takeLock(lockPath(folder))
  if (!taking.release) return taking.held
  process.once('exit', taking.release)
  if (taking.stale)
    console.log(
      `${folder}: the last run here (process ${taking.stale.pid}) ended without releasing the folder; taking it over.`,
    )
  return true
}

function lockPath(folder: string): string {
  return join(folder, 'run.lock')
}

function inUse(folder: string, holder: Holder | null): UserError {
  const lock = lockPath(folder)
  if (holder && isHere(holder))
    return new UserError(
      `${folder}: another run (process ${holder.pid}) is using this folder; wait until it ends, or choose another folder with --out`,
    )
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process'
  return new UserError(
    `${folder}: ${who} is using this folder (see ${lock}); if that run has ended, delete ${lock}`,
  )
}

/** Removes files that a killed run left half written. This process must hold the folder. */
export function removeLeftovers(folder: string): void {
  for (const path of readdirSync(folder)
    .filter(isTemporary)
    .map((name) => join(folder, name)))
    try {
      rmSync(path, { force: true })
    } catch (error) {
      throw new UserError(`${path}: cannot be removed (${(error as Error).message})`)
    }
}

/** A log of the run; a run that does not resume starts a new one. */
export function openLog(out: string, name: string, resume: boolean): RunLog {
  const path = join(out, name)
  try {
    if (!resume) rmSync(path, { force: true })
  } catch (error) {
    throw cannotWrite(path, error)
  }
  return new RunLog(path)
}

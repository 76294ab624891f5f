import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode, UserError } from '../errors.js'
import { cannotWrite } from '../train/checkpoint/atomicWrite.node.js'
import { RunLog } from './runLog.node.js'

export function checkpointPath(out: string): string {
  return join(out, 'checkpoint.safetensors')
}

export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true })
  } catch (error) {
    if (hasCode(error, 'EEXIST') || hasCode(error, 'ENOTDIR'))
      throw new UserError(`${path}: a file is in the way; expected a folder, or nothing yet`)
    throw cannotWrite(path, error)
  }
}

/** Makes `--out` before any work is done. What an earlier run saved there is never overwritten. */
export function prepareOut(out: string, resume: boolean): void {
  makeFolder(out)
  const path = checkpointPath(out)
  if (resume && !existsSync(path))
    throw new UserError(`--resume: there is no ${path}; start without --resume`)
  if (!resume && existsSync(path))
    throw new UserError(
      `${path} is there already: add --resume to go on with it, or give another folder by --out`,
    )
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

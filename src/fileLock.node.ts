import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { cannotWrite, temporaryBeside } from './atomicWrite.node.js'
import { hasCode } from './errors.js'

/** The content of a lock file: the process that holds it. */
export interface Holder {
  readonly pid: number
  readonly host: string
  /** Identifies the boot of the machine and the container; null if the system does not report it. */
  readonly boot: string | null
  /** Start time of the process in system clock ticks, because process ids are reused. Null if unknown. */
  readonly began: string | null
  /** Unique for each time that a lock is taken. */
  readonly token: string
}

/**
 * `held` is the current holder, or null if the lock file is not readable. `stale` is the ended process whose
 * lock was taken over.
 */
export type Taking =
  | { readonly release: () => void; readonly stale: Holder | null }
  | { readonly release: null; readonly held: Holder | null }

/**
 * Takes the lock file at `path`, or returns its holder. A lock whose process has ended is taken over.
 *
 * The complete lock file is linked to `path`, which fails if a lock exists. To replace a stale lock, a
 * process first takes a second lock, `path.claim`, in the same way, and then checks the stale lock again. Of
 * two processes that find the same stale lock, only one replaces it, and a new lock is never replaced. This
 * does not depend on flock, which some network file systems lack.
 *
 * @throws UserError if the file cannot be written.
 */
export function takeLock(path: string): Taking {
  const own = ownWord()
  for (;;) {
    if (place(path, own)) return { release: () => release(path, own), stale: null }
    const found = read(path)
    if (found === 'gone') continue
    if (found === null || !hasEnded(found)) return { release: null, held: found }
    const claim = takeLock(`${path}.claim`)
    if (!claim.release) return claim
    try {
      const again = read(path)
      if (again === 'gone' || again?.token !== found.token) continue
      replace(path, own)
      return { release: () => release(path, own), stale: found }
    } finally {
      claim.release()
    }
  }
}

/** Creates the lock with the content `own`. False if there is a lock already. */
function place(path: string, own: Holder): boolean {
  return withWord(path, own, (temporary) => {
    try {
      linkSync(temporary, path)
      return true
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false
      // No hard links here: a reader may see a half-written lock, whose holder is then unknown.
      return write(path, own)
    }
  })
}

function replace(path: string, own: Holder): void {
  withWord(path, own, (temporary) => renameSync(temporary, path))
}

/** Writes `own` to a temporary file, calls `use` on it, and removes it. */
function withWord<T>(path: string, own: Holder, use: (temporary: string) => T): T {
  const temporary = temporaryBeside(path)
  try {
    write(temporary, own)
    return use(temporary)
  } catch (error) {
    throw cannotWrite(path, error)
  } finally {
    rmSync(temporary, { force: true })
  }
}

function write(path: string, own: Holder): boolean {
  try {
    writeFileSync(path, `${JSON.stringify(own)}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

function read(path: string): Holder | null | 'gone' {
  try {
    const { pid, host, boot, began, token } = JSON.parse(readFileSync(path, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? { pid, host, boot, began, token } : null
  } catch (error) {
    return hasCode(error, 'ENOENT') ? 'gone' : null
  }
}

function release(path: string, own: Holder): void {
  const found = read(path)
  // If the lock was deleted by hand, another process may hold a new one; that one must stay.
  if (found !== 'gone' && found?.token === own.token) rmSync(path, { force: true })
}

function ownWord(): Holder {
  const { pid } = process
  return { pid, host: hostname(), boot: bootOf(), began: beginningOf(pid), token: randomUUID() }
}

/** True if the holder is on this machine and in this container, so that its process id is valid here. */
export function isHere({ host, boot }: Holder): boolean {
  return host === hostname() && boot === bootOf()
}

/** True only if it is certain: a process on another machine or in another container may still be running. */
function hasEnded({ pid, host, boot, began }: Holder): boolean {
  const here = bootOf()
  if (host !== hostname()) return false
  if (boot !== here) return boot !== null && here !== null && bootId(boot) !== bootId(here)
  try {
    process.kill(pid, 0)
  } catch (error) {
    return hasCode(error, 'ESRCH')
  }
  const now = beginningOf(pid)
  return now === ENDED || (began !== null && now !== null && now !== began)
}

/** A zombie: an ended process that its parent has not waited for yet. */
const ENDED = 'ended'

/** The boot id and the PID namespace, which differs between containers. */
function bootOf(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return null
  }
}

function bootId(boot: string): string | undefined {
  return boot.split(' ')[0]
}

/** Field 22 of /proc/PID/stat: start of the process in clock ticks since boot. Field 3 is its state. */
function beginningOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The preceding field is the name in parentheses, which may itself contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? ENDED : (fields[19] ?? null)
  } catch {
    return null
  }
}

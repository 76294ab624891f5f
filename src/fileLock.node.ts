import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { cannotWrite, temporaryBeside } from './atomicWrite.node.js'
import { hasCode } from './errors.js'

/** What a lock file says of the process that holds it. */
export interface Holder {
  readonly pid: number
  readonly host: string
  /** Tells one start of the machine, and one container on it, from another; null where the system does not say. */
  readonly boot: string | null
  /** When the process began, in the system's own clock: process numbers are given again. Null where unknown. */
  readonly began: string | null
  /** No two takings have the same. */
  readonly token: string
}

/** `held` is the live holder, or null for one that left no readable word; `stale` is the dead one whose lock was taken over. */
export type Taking =
  | { readonly release: () => void; readonly stale: Holder | null }
  | { readonly release: null; readonly held: Holder | null }

/**
 * Takes the lock file at `path`, or says who holds it. A lock whose process has ended is taken over.
 *
 * A lock appears whole, by link, and only where there is none. Whoever would replace a stale lock first takes the lock
 * `path.claim`, in the same way, and looks again: so of two that find a stale lock one replaces it, and a fresh lock is
 * never replaced. Works without flock, which not every network file system has.
 *
 * @throws UserError where the file cannot be written.
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

/** True if nothing stands at `path` yet: then it holds `own`. */
function place(path: string, own: Holder): boolean {
  return withWord(path, own, (temporary) => {
    try {
      linkSync(temporary, path)
      return true
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false
      // File systems without links: the word may be read half written, and then says nothing of its holder.
      return write(path, own)
    }
  })
}

function replace(path: string, own: Holder): void {
  withWord(path, own, (temporary) => renameSync(temporary, path))
}

/** Runs `use` on a file of its own that holds `own`. */
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
  // A lock that somebody removed by hand, and another process took, is not ours to remove.
  if (found !== 'gone' && found?.token === own.token) rmSync(path, { force: true })
}

function ownWord(): Holder {
  const { pid } = process
  return { pid, host: hostname(), boot: bootOf(), began: beginningOf(pid), token: randomUUID() }
}

/** True if the holder's number means a process of this machine, and of this container. */
export function isHere({ host, boot }: Holder): boolean {
  return host === hostname() && boot === bootOf()
}

/** True only where it is certain: a process of another machine or container may live. */
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

/** A killed process whose parent has not asked for its end yet. */
const ENDED = 'ended'

/** The boot, and the container's own numbering of processes. */
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

/** Field 22 of /proc/PID/stat: clock ticks from the boot to the start of the process. Field 3 is its state. */
function beginningOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name before them, in parentheses, may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? ENDED : (fields[19] ?? null)
  } catch {
    return null
  }
}

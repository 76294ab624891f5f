import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Folder in the user's cache for files that can be recreated at any time. */
export function cacheFolder(): string {
  const home = homeFolder()
  const base = process.env.XDG_CACHE_HOME || (home ? join(home, '.cache') : '')
  // Without a home, the folder must still belong to this user, because code is loaded from it.
  return base ? join(base, 'fmae-webgpu') : join(tmpdir(), `fmae-webgpu-${process.getuid?.() ?? 0}`)
}

/** Empty for a user whom the system does not know, as in many containers. */
function homeFolder(): string {
  try {
    return homedir()
  } catch {
    return ''
  }
}

import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Folder of what can be made anew at any time, in the user's cache. */
export function cacheFolder(): string {
  const home = homeFolder()
  const base = process.env.XDG_CACHE_HOME || (home ? join(home, '.cache') : '')
  // Without a home the folder must still be this user's own: code is loaded from it.
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

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, SetupError } from './process.mjs'

/**
 * True when node_modules is what package-lock.json asks for. npm records what it installed, as its last act, in
 * node_modules/.package-lock.json; an interrupted, outdated or foreign (copied from another platform) folder differs.
 */
export function packagesAreCurrent(folder = root) {
  const installedPath = join(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath)) return false
  const wanted = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || !belongsHere(entry)) return true
    return installed[path]?.version === entry.version && existsSync(join(folder, path))
  })
}

/** Optional packages are mostly other platforms' binaries; those meant for this one must be there. */
function belongsHere(entry) {
  if (!entry.optional) return true
  return Boolean(entry.os?.includes(process.platform) && entry.cpu?.includes(process.arch) && !entry.libc)
}

/** Installs exactly the locked packages if node_modules is missing or differs. */
export async function ensurePackages() {
  if (packagesAreCurrent()) return
  console.log('setup: installing the locked packages (npm ci) …')
  // No package here needs its install script: each carries prebuilt binaries. Development packages are part of the
  // set-up (build, SwiftShader) even where the environment says production.
  const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund']
  const { code, output } = await npm(args)
  if (code === 0 && packagesAreCurrent()) return
  throw new SetupError(`${lastLines(output, 30)}\nsetup: npm ci failed (exit ${code}); see its output above.`)
}

function npm(args) {
  const path = process.env.npm_execpath // the npm that started us, if one did
  if (path?.endsWith('.js')) return run(process.execPath, [path, ...args])
  return run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args)
}

/** The last `count` lines of a program's output, which name the error. */
export function lastLines(text, count) {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

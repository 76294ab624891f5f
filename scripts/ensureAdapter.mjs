import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installLavapipe, whyNotInstallable } from './lavapipe.mjs'
import { lastLines } from './packages.mjs'
import { root, run, SetupError } from './process.mjs'

const FAILED = join(root, 'dist', '.lavapipe-failed')
const RETRY_AFTER_MS = 24 * 3600 * 1000

/**
 * Makes sure that a WebGPU adapter exists: a GPU or an installed lavapipe that Dawn accepts, else lavapipe by apt-get if
 * allowed, else SwiftShader from npm. Returns { software, source, notice }.
 * `again`: try apt-get even if it failed within the last day.
 */
export async function ensureAdapter({ again = false } = {}) {
  const first = await probe()
  if (first.source === 'hardware' || first.source === 'system' || process.env.FMAE_ADAPTER) return use(first)
  const reason = whyNotInstallable()
  if (reason) {
    console.log(`setup: lavapipe, the faster software driver, is not installed: ${reason}.`)
    return use(first)
  }
  if (!again && existsSync(FAILED) && Date.now() - statSync(FAILED).mtimeMs < RETRY_AFTER_MS) {
    console.log('setup: lavapipe could not be installed earlier; to try again, run: npm run setup')
    return use(first)
  }
  const problem = await installLavapipe()
  if (problem) console.log(`${problem}\nsetup: apt-get failed; see its output above.`)
  const second = await probe()
  if (second.source === 'swiftshader') writeFileSync(FAILED, problem ?? 'installed, but Dawn rejects it')
  return use(second)
}

function use(found) {
  if (found.error) throw new SetupError(`setup: ${found.error}`)
  return found
}

async function probe() {
  const { code, output } = await run(process.execPath, [join(root, 'scripts', 'probeAdapter.mjs')])
  const line = output.split('\n').find((text) => text.startsWith('{'))
  // A driver that crashes the probe counts as missing.
  if (!line) return { error: `the adapter probe ended with exit code ${code}\n${lastLines(output, 10)}` }
  return JSON.parse(line)
}

import { spawn } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root folder of the repository. All paths in these scripts are relative to it. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** A failure whose message is enough for the user. */
export class SetupError extends Error {}

/**
 * Runs a program in the repository root and waits for it. `show: true` gives it our terminal; otherwise its output is
 * collected in `output`. Ctrl-C reaches it through the terminal's process group, and we wait until it ends.
 * Resolves to { code, output }; 127 if there is no such program, 128 + n if signal n ended it.
 */
export function run(program, args, { show = false, env = {} } = {}) {
  return new Promise((done) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: show ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    })
    const chunks = []
    child.stdout?.on('data', (chunk) => chunks.push(chunk))
    child.stderr?.on('data', (chunk) => chunks.push(chunk))
    const release = endWith(child)
    const finish = (code, note = '') => {
      release()
      done({ code, output: Buffer.concat(chunks).toString('utf8') + note })
    }
    child.on('error', (error) => finish(127, error.message))
    child.on('close', (code, signal) => finish(code ?? 128 + (signal === 'SIGINT' ? 2 : 15)))
  })
}

/** While `child` runs, Ctrl-C does not end us first, and SIGTERM is forwarded. Returns a function that undoes this. */
export function endWith(child) {
  let interrupted = false
  const interrupt = () => {
    interrupted = true
  }
  const terminate = () => {
    interrupted = true
    child.kill('SIGTERM')
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', terminate)
  return () => {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', terminate)
    if (interrupted) process.exit(130)
  }
}

/** Runs a script's main function; a SetupError becomes one line on stderr and exit code 1. */
export async function main(action) {
  try {
    process.exitCode = (await action()) ?? 0
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}

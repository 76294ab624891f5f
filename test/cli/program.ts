import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { moved } from '../movement.js'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
/** The built program; `npm test` builds it before any test runs. */
export const program = join(root, 'dist', 'train.js')

/** The programs that one test file starts share the kernel variants they measure, and leave the user's alone. */
const cache = mkdtempSync(join(tmpdir(), 'fmae-cache-'))
process.on('exit', () => rmSync(cache, { recursive: true, force: true }))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** What it reads on standard input. */
  readonly input?: string
  /** Run as this user; only root may. */
  readonly uid?: number
}

/** A run of the program that can be watched and signalled. */
export class RunningProgram {
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  #stdout = ''
  #stderr = ''

  constructor(args: readonly string[], { cwd, env, input, uid }: RunOptions = {}) {
    // By env, so that tap's hooks do not ride along in the program.
    this.#child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, program, ...args], {
      cwd,
      env: { ...process.env, FMAE_CACHE: cache, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    })
    this.#child.stdin?.end(input)
    this.#child.stdout!.on('data', (text) => {
      moved()
      this.#stdout += text
    })
    this.#child.stderr!.on('data', (text) => {
      moved()
      this.#stderr += text
    })
    this.ended = new Promise((done) => {
      this.#child.on('close', (code, signal) => {
        done({ code, signal, stdout: this.#stdout, stderr: this.#stderr })
      })
    })
  }

  get stderr(): string {
    return this.#stderr
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Waits until `condition` holds, at most until the program ends. */
  async until(condition: () => boolean): Promise<void> {
    let ended = false
    this.ended.then(() => {
      ended = true
    })
    while (!ended && !condition()) await new Promise((done) => setTimeout(done, 5))
    if (!condition()) throw new Error(`the program ended too early:\n${this.#stdout}${this.#stderr}`)
  }
}

export function runProgram(args: readonly string[], options?: RunOptions): Promise<Ended> {
  return new RunningProgram(args, options).ended
}

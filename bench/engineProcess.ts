import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** A piece of work as every engine knows it (see peers/inputs.mjs). */
export interface Work {
  readonly work: string
  readonly shape: Readonly<Record<string, number>>
}

export interface EngineCommand {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
}

interface Answer {
  readonly error?: string
  readonly ms?: number
  readonly outputs?: readonly { name: string; length: number }[]
}

/** An engine in a process of its own, told what to do by JSON lines (see peers/serve.mjs). */
export class EngineProcess {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>

  private constructor(
    readonly name: string,
    child: ChildProcess,
  ) {
    this.#child = child
    this.#answers = createInterface({ input: child.stdio[3] as Readable })[Symbol.asyncIterator]()
  }

  /** Starts the engine and waits until it has its device. `env` is added to this process's own. */
  static async start(
    { name, program, args }: EngineCommand,
    env: Record<string, string> = {},
  ): Promise<EngineProcess> {
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'ignore', 'inherit', 'pipe'],
    })
    // A process that ends early closes its answers, which says more than a broken pipe here.
    child.stdin!.on('error', () => {})
    child.on('error', () => {})
    const engine = new EngineProcess(name, child)
    await engine.#answer()
    return engine
  }

  /** Puts the inputs of a piece of work on the engine's device. */
  async load({ work, shape }: Work): Promise<void> {
    await this.#ask({ do: 'load', work, shape })
  }

  /** Milliseconds for each of `repeats` runs queued back to back. */
  async time(repeats: number): Promise<number> {
    const { ms } = await this.#ask({ do: 'time', repeats })
    return ms!
  }

  /** Runs the work once and fetches all outputs by name. */
  async outputs(): Promise<Map<string, Float32Array>> {
    const folder = await mkdtemp(join(tmpdir(), 'fmae-bench-'))
    try {
      const file = join(folder, 'outputs')
      const { outputs } = await this.#ask({ do: 'save', file })
      const bytes = Uint8Array.from(readFileSync(file))
      let offset = 0
      return new Map(
        outputs!.map(({ name, length }) => {
          const values = new Float32Array(bytes.buffer, 4 * offset, length)
          offset += length
          return [name, values]
        }),
      )
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  async drop(): Promise<void> {
    await this.#ask({ do: 'drop' })
  }

  async quit(): Promise<void> {
    const ended = new Promise((done) => this.#child.once('close', done))
    this.#child.stdin!.end()
    await ended
  }

  async #ask(order: object): Promise<Answer> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`)
    return this.#answer()
  }

  async #answer(): Promise<Answer> {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`${this.name}: its process ended without an answer`)
    const answer: Answer = JSON.parse(value)
    if (answer.error) throw new Error(`${this.name}: ${answer.error}`)
    return answer
  }
}

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { cannotWrite } from '../atomicWrite.node.js'
import { UserError } from '../errors.js'

/** One line of a log: numbers and texts by name. */
export type LogRecord = Readonly<Record<string, number | string | boolean | null>>

/** A JSON Lines file of a run, one object per line; a resumed run appends to it. */
export class RunLog {
  /** A crash may have truncated the last line; the first new record then starts on a new line. */
  #lead: '' | '\n'

  constructor(readonly path: string) {
    this.#lead = /[^\n]$/.test(this.#text()) ? '\n' : ''
  }

  write(record: LogRecord): void {
    try {
      appendFileSync(this.path, `${this.#lead}${JSON.stringify(record)}\n`)
      this.#lead = ''
    } catch (error) {
      throw cannotWrite(this.path, error)
    }
  }

  /** All records so far, including those of earlier runs; skips a line that a crash truncated. */
  read(): LogRecord[] {
    return this.#text().split('\n').flatMap(parseRecord)
  }

  #text(): string {
    try {
      return existsSync(this.path) ? readFileSync(this.path, 'utf8') : ''
    } catch (error) {
      throw new UserError(`${this.path}: cannot be read (${(error as Error).message})`)
    }
  }
}

function parseRecord(line: string): LogRecord[] {
  try {
    const value: unknown = line === '' ? null : JSON.parse(line)
    const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isRecord ? [value as LogRecord] : []
  } catch {
    return []
  }
}

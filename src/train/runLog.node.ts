import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { cannotWrite } from './checkpoint/atomicWrite.node.js'

/** One line of a log: numbers and texts by name. */
export type LogRecord = Readonly<Record<string, number | string | boolean | null>>

/** A JSON Lines file beside a run, one object a line, added to as the run goes on and when it resumes. */
export class RunLog {
  constructor(readonly path: string) {}

  write(record: LogRecord): void {
    try {
      appendFileSync(this.path, `${JSON.stringify(record)}\n`)
    } catch (error) {
      throw cannotWrite(this.path, error)
    }
  }

  /** All lines so far, from earlier runs too; a line cut off by a crash is left out. */
  read(): LogRecord[] {
    if (!existsSync(this.path)) return []
    return readFileSync(this.path, 'utf8').split('\n').flatMap(parseRecord)
  }
}

function parseRecord(line: string): LogRecord[] {
  try {
    return line === '' ? [] : [JSON.parse(line) as LogRecord]
  } catch {
    return []
  }
}

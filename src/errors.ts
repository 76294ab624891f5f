import { NoAdapterError } from './engine/adapterInfo.js'
import { DeviceError, LimitError } from './engine/errors.js'
import { NonFiniteError } from './engine/sentinel.js'

/**
 * A mistake that the user can mend: a wrong file, label, flag or setting. The message says what was read, what
 * was found and what was expected; commands print it alone, without a stack trace, and exit with status 1.
 */
export class UserError extends Error {
  override readonly name = 'UserError'
}

/** Errors that say all a user can use: what was asked of the machine, and what it refused. */
const plain = [UserError, NoAdapterError, LimitError, DeviceError, NonFiniteError]

/** The text to show for any caught value: its message alone where it tells all, else with the stack. */
export function describeError(error: unknown): string {
  if (error instanceof Error && plain.some((known) => error instanceof known)) return error.message
  if (error instanceof Error) return error.stack ?? error.message
  return String(error)
}

/** True for a Node system error of that code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

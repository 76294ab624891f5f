import { NoAdapterError } from './engine/adapterInfo.js'
import { DeviceError, LimitError } from './engine/errors.js'
import { NonFiniteError } from './engine/sentinel.js'

/**
 * A mistake that the user can fix: a wrong file, label, flag or setting. The message says what was read, what was found
 * and what was expected. Commands print it without a stack trace and exit with status 1.
 */
export class UserError extends Error {
  override readonly name = 'UserError'
}

/** Errors whose message is enough for a user: what was requested, and what the machine refused. */
const plain = [UserError, NoAdapterError, LimitError, DeviceError, NonFiniteError]

/** The text to show for any caught value: the message if that is enough, else the stack. */
export function describeError(error: unknown): string {
  if (error instanceof Error && plain.some((known) => error instanceof known)) return error.message
  if (error instanceof Error) return error.stack ?? error.message
  return String(error)
}

/** True for a Node system error of that code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/**
 * A mistake that the user can mend: a wrong file, label, flag or setting. The message says what was read, what
 * was found and what was expected; commands print it alone, without a stack trace, and exit with status 1.
 */
export class UserError extends Error {
  override readonly name = 'UserError'
}

/** The text to show for any caught value: its message alone if the user can mend it, else with the stack. */
export function describeError(error: unknown): string {
  if (error instanceof UserError) return error.message
  if (error instanceof Error) return error.stack ?? error.message
  return String(error)
}

/** True for a Node system error of that code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

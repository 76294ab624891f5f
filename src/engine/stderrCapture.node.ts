import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Dawn writes warnings directly to file descriptor 2, bypassing Node, and this cannot be turned off. While it searches
// for drivers, they are captured: the reason for refusing a driver goes into our own message, the rest is passed on.

/**
 * Runs `action` and returns its result with what native code wrote to stderr during the call. `action` must
 * do its work synchronously (a promise it returns is handed on as it is). Where stderr cannot be caught,
 * `text` is empty and the output goes where it always went.
 */
export async function captureStderr<T>(action: () => T): Promise<{ result: T; text: string }> {
  const descriptors = await descriptorCalls()
  const folder = descriptors && temporaryFolder()
  if (!descriptors || !folder) return { result: action(), text: '' }
  const path = join(folder, 'text')
  const saved = descriptors.dup(2)
  try {
    const file = openSync(path, 'w')
    descriptors.dup2(file, 2)
    closeSync(file)
    const result = action()
    return { result, text: readFileSync(path, 'utf8') }
  } finally {
    descriptors.dup2(saved, 2)
    closeSync(saved)
    rmSync(folder, { recursive: true, force: true })
  }
}

function temporaryFolder(): string | null {
  try {
    return mkdtempSync(join(tmpdir(), 'fmae-stderr-'))
  } catch {
    return null
  }
}

interface DescriptorCalls {
  dup(descriptor: number): number
  dup2(from: number, to: number): number
}

async function descriptorCalls(): Promise<DescriptorCalls | null> {
  if (process.platform === 'win32') return null
  try {
    const { default: koffi } = await import('koffi')
    const program = koffi.load(null)
    return { dup: program.func('int dup(int)'), dup2: program.func('int dup2(int, int)') }
  } catch {
    return null
  }
}

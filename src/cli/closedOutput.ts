import { hasCode } from '../errors.js'

/**
 * Keeps the run alive when its output is closed (`… | head`, a closed terminal) or cannot be written (a full disk): its
 * results are in its folder. Printed results that nobody closed but that are lost are an error at the end.
 */
export function outliveReaders(): void {
  let lost = false
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error) => {
    if (lost || hasCode(error, 'EPIPE') || hasCode(error, 'EIO')) return
    lost = true
    console.error(`error: standard output: cannot be written (${error.message})`)
    process.once('exit', (code) => {
      if (code === 0) process.exitCode = 1
    })
  })
}

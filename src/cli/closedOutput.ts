import { hasCode } from '../errors.js'

/**
 * Nobody reads what is printed any more (`… | head`, a closed terminal): the run goes on without. What it does is in its
 * folder.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (!hasCode(error, 'EPIPE') && !hasCode(error, 'EIO')) throw error
    })
}

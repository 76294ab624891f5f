import { hasCode } from '../errors.js'

/**
 * Keeps the run alive when its output is closed (`… | head`, a closed terminal): its results are in its folder.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (!hasCode(error, 'EPIPE') && !hasCode(error, 'EIO')) throw error
    })
}

import { expose, proxy } from 'comlink'
import { describeError } from '../../src/errors.js'
import type { WorkerEvent } from '../protocol.js'
import { PageWorker } from './pageWorker.js'

/** The worker's door: `open` answers with the worker itself, or with a sentence that says why this browser cannot compute. */
const door = {
  async open(tell: (event: WorkerEvent) => void) {
    try {
      return proxy(await PageWorker.open(tell))
    } catch (error) {
      throw new Error(describeError(error))
    }
  },
}

export type Door = typeof door

expose(door)

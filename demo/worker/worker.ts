import { expose, proxy } from 'comlink'
import { describeError } from '../../src/errors.js'
import type { StudioEvent } from '../protocol.js'
import { Studio } from './studio.js'

/** The worker's door: `open` answers with the studio itself, or with a sentence that says why this browser cannot compute. */
const door = {
  async open(tell: (event: StudioEvent) => void) {
    try {
      return proxy(await Studio.open(tell))
    } catch (error) {
      throw new Error(describeError(error))
    }
  },
}

export type Door = typeof door

expose(door)

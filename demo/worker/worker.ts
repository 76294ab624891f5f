import { expose, proxy } from 'comlink'
import type { WorkerEvent } from '../protocol.js'
import { PageWorker } from './pageWorker.js'

/**
 * What the page gets hold of first: `open` answers with the worker's methods, or with an error that says why
 * not.
 */
const door = {
  open: async (tell: (event: WorkerEvent) => void) => proxy(await PageWorker.open(tell)),
}

export type Door = typeof door

expose(door)

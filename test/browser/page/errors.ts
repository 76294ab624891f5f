import { openDevice } from '../../../src/engine/device.js'
import type { Runtime } from '../../../src/engine/runtime.js'

// What a visitor reads where something is missing, asked by a test in Node.

let runtime: Runtime | null = null

const page = {
  /** The message of the error that `openDevice` throws, with its name; null if it throws none. */
  open: () =>
    messageOf(async () => {
      runtime = await openDevice()
    }),

  /** Allocates a tensor of one byte more than the adapter binds. */
  tooLarge: () => messageOf(() => runtime!.empty([runtime!.caps.maxBindingBytes / 4 + 1])),

  /** Computes and reads. */
  compute: () => messageOf(() => runtime!.zeros([4]).read()),

  /** How often `computeOn` has read. */
  rounds: 0,

  /** Computes and reads without a pause until it fails. */
  computeOn: () =>
    messageOf(async () => {
      for (; ; page.rounds++) await runtime!.zeros([2 ** 22]).read()
    }),
}

async function messageOf(work: () => unknown): Promise<string | null> {
  try {
    await work()
    return null
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
}

declare global {
  var errorsPage: typeof page
}
globalThis.errorsPage = page

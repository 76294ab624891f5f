import type { z } from 'zod'
import { parseJson } from '../../src/data/schemas.js'
import { storedPairSchema } from '../protocol.js'

export type StoredPair = z.output<typeof storedPairSchema>

const FILE = 'fineTune.json'

/**
 * What the browser's storage (OPFS) holds of act 2 beside its two runs, which are kept as all runs are. Where there is no storage, the
 * runs have said so: nothing is told again here.
 */
export class FineTuneStore {
  async save(pair: StoredPair): Promise<void> {
    await orNull(async () => {
      const root = await navigator.storage.getDirectory()
      const stream = await (await root.getFileHandle(FILE, { create: true })).createWritable()
      await stream.write(JSON.stringify(pair))
      await stream.close()
    })
  }

  /** What is there stays as it is, but that it no longer goes on by itself. */
  async endRunning(): Promise<void> {
    const pair = await this.load()
    if (pair?.running) await this.save({ ...pair, running: false })
  }

  /** @throws UserError where the file is damaged */
  async load(): Promise<StoredPair | null> {
    const text = await orNull(async () => {
      const root = await navigator.storage.getDirectory()
      return (await (await root.getFileHandle(FILE)).getFile()).text()
    })
    return text === null ? null : parseJson(text, storedPairSchema, FILE)
  }

  async clear(): Promise<void> {
    await orNull(async () => (await navigator.storage.getDirectory()).removeEntry(FILE))
  }
}

/** Null where the browser refuses, or where there is no such file. */
async function orNull<T>(access: () => Promise<T>): Promise<T | null> {
  try {
    return await access()
  } catch (error) {
    if (error instanceof DOMException) return null
    throw error
  }
}

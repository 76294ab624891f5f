import type { z } from 'zod'
import { parseJson } from '../../src/data/schemas.js'
import { decodeSafetensors, type SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { type RunName, storedHistorySchema, type WorkerEvent } from '../protocol.js'

export type StoredHistory = z.output<typeof storedHistorySchema>

const CHECKPOINT = 'checkpoint.safetensors'
const HISTORY = 'history.json'

/**
 * The files of one run in the browser's own storage for this page (OPFS): its checkpoint, in the format of the command line, and the
 * curve so far. A file is replaced as a whole: what was saved before survives a page that is closed in the middle.
 */
export class RunStore {
  private constructor(readonly folder: FileSystemDirectoryHandle) {}

  /** @throws the browser's error where it gives pages no storage, as in some private windows */
  static async open(name: string): Promise<RunStore> {
    const root = await navigator.storage.getDirectory()
    const runs = await root.getDirectoryHandle('runs', { create: true })
    return new RunStore(await runs.getDirectoryHandle(name, { create: true }))
  }

  async save(checkpoint: Iterable<Uint8Array>, history: StoredHistory): Promise<void> {
    await this.#write(CHECKPOINT, checkpoint)
    await this.#writeHistory(history)
  }

  /** What is there stays as it is, but that it no longer goes on by itself. */
  async endRunning(): Promise<void> {
    const history = await this.loadHistory()
    if (history?.running) await this.#writeHistory({ ...history, running: false })
  }

  /**
   * What was saved last; null if there is nothing, or not all of it.
   *
   * @throws UserError where a file is damaged
   */
  async load(): Promise<{ checkpoint: SafetensorsFile; history: StoredHistory } | null> {
    const [checkpoint, history] = [await this.#read(CHECKPOINT), await this.loadHistory()]
    return checkpoint && history ? { checkpoint: decodeSafetensors(checkpoint, CHECKPOINT), history } : null
  }

  /** The curve and the settings alone; null if there are none. @throws UserError where the file is damaged */
  async loadHistory(): Promise<StoredHistory | null> {
    const history = await this.#read(HISTORY)
    return history && parseJson(new TextDecoder().decode(history), storedHistorySchema, HISTORY)
  }

  async clear(): Promise<void> {
    for await (const name of this.folder.keys()) await this.folder.removeEntry(name)
  }

  #writeHistory(history: StoredHistory): Promise<void> {
    return this.#write(HISTORY, [new TextEncoder().encode(JSON.stringify(history))])
  }

  async #write(name: string, parts: Iterable<Uint8Array>): Promise<void> {
    const file = await this.folder.getFileHandle(name, { create: true })
    const stream = await file.createWritable()
    for (const part of parts) await stream.write(new Uint8Array(part))
    await stream.close()
  }

  async #read(name: string): Promise<Uint8Array | null> {
    try {
      const file = await (await this.folder.getFileHandle(name)).getFile()
      return new Uint8Array(await file.arrayBuffer())
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') return null
      throw error
    }
  }
}

/** The store of a run; null, and a line for the visitor, where the browser gives pages none. */
export async function openStore(name: RunName, tell: (event: WorkerEvent) => void): Promise<RunStore | null> {
  try {
    return await RunStore.open(name)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const text = `This browser gives the page no storage (${reason}): runs do not survive a reload.`
    tell({ type: 'note', text })
    return null
  }
}

import type { z } from 'zod'
import { parseJson } from '../../src/data/schemas.js'
import { decodeSafetensors, type SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import type { WorkerEvent } from '../protocol.js'

const CHECKPOINT = 'checkpoint.safetensors'

/** Where a run's files are in the page's storage, and what its state file holds. */
interface Place<State> {
  /** Folders from the root down. */
  readonly folder: readonly string[]
  readonly file: string
  readonly schema: z.ZodType<State>
}

/**
 * The files of one run in the browser's own storage for this page (OPFS): its state (settings, curve, whether
 * it runs) and, for a single network, its checkpoint in the format of the command line. A file is replaced as
 * a whole: what was saved before survives a page that is closed in the middle. Where the browser refuses, a
 * note says so.
 */
export class RunStore<State extends { readonly running: boolean }> {
  #folder: Promise<FileSystemDirectoryHandle | null> | null = null

  constructor(
    readonly place: Place<State>,
    readonly tell: (event: WorkerEvent) => void,
  ) {}

  async save(state: State, checkpoint?: () => Promise<Iterable<Uint8Array>>): Promise<void> {
    const folder = await this.#open()
    if (!folder) return
    try {
      if (checkpoint) await write(folder, CHECKPOINT, await checkpoint())
      await write(folder, this.place.file, [new TextEncoder().encode(JSON.stringify(state))])
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
      this.#note(`This run could not be saved (${error.message}). Reloading the page would lose it.`)
    }
  }

  /** What is there stays as it is, but that it no longer goes on by itself. */
  async endRunning(): Promise<void> {
    const state = await this.load()
    if (state?.running) await this.save({ ...state, running: false })
  }

  /** The state that was saved last; null if there is none. @throws UserError where the file is damaged */
  async load(): Promise<State | null> {
    const { file, schema } = this.place
    const bytes = await this.#read(file)
    return bytes && parseJson(new TextDecoder().decode(bytes), schema, file)
  }

  /** The network that was saved last; null if there is none. @throws UserError where the file is damaged */
  async loadCheckpoint(): Promise<SafetensorsFile | null> {
    const bytes = await this.#read(CHECKPOINT)
    return bytes && decodeSafetensors(bytes, CHECKPOINT)
  }

  async clear(): Promise<void> {
    const folder = await this.#open()
    for (const name of [this.place.file, CHECKPOINT]) await orNotFound(async () => folder?.removeEntry(name))
  }

  async #read(name: string): Promise<Uint8Array | null> {
    const folder = await this.#open()
    if (!folder) return null
    const file = await orNotFound(async () => (await folder.getFileHandle(name)).getFile())
    // A file stands empty from its making to its first content, and for good if the page is closed between.
    return file && file.size > 0 ? new Uint8Array(await file.arrayBuffer()) : null
  }

  /** Null, and a note, where the browser gives pages no storage, as in some private windows. */
  #open(): Promise<FileSystemDirectoryHandle | null> {
    this.#folder ??= openFolder(this.place.folder).catch((error: Error) => {
      this.#note(`This browser gives the page no storage (${error.message}). Runs are lost on reload.`)
      return null
    })
    return this.#folder
  }

  #note(text: string): void {
    this.tell({ type: 'note', text })
  }
}

async function openFolder(path: readonly string[]): Promise<FileSystemDirectoryHandle> {
  let folder = await navigator.storage.getDirectory()
  for (const name of path) folder = await folder.getDirectoryHandle(name, { create: true })
  return folder
}

async function write(folder: FileSystemDirectoryHandle, name: string, parts: Iterable<Uint8Array>) {
  const stream = await (await folder.getFileHandle(name, { create: true })).createWritable()
  for (const part of parts) await stream.write(new Uint8Array(part))
  await stream.close()
}

async function orNotFound<T>(access: () => Promise<T>): Promise<T | null> {
  try {
    return await access()
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return null
    throw error
  }
}

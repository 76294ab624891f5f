import { proxy, type Remote, wrap } from 'comlink'
import { createContext } from 'preact'
import { useContext, useEffect } from 'preact/hooks'
import type { AdapterSummary, WorkerEvent } from './protocol.js'
import type { PageWorker } from './worker/pageWorker.js'
import type { Door } from './worker/worker.js'

type Listener = (event: WorkerEvent) => void

/** The page's end of the worker: its methods, its events, and what it computes on. */
export interface WorkerLink {
  readonly worker: Remote<PageWorker>
  readonly adapter: AdapterSummary
  /** Returns the undoing. */
  listen(listener: Listener): () => void
}

/** Starts the worker. @throws Error that says why it cannot compute here */
export async function openWorker(): Promise<WorkerLink> {
  const listeners = new Set<Listener>()
  const url = new URL('worker.js', import.meta.url)
  const thread = new Worker(url, { type: 'module' })
  const broken = new Promise<never>((_, reject) => {
    thread.onerror = ({ message }) => {
      // Without a message it is the file that is missing.
      const text = message ? `The page's worker failed: ${message}` : `The file ${url} cannot be loaded`
      reject(new Error(text))
      tell({ type: 'failed', text: `${text}. Reload the page.` })
    }
  })
  const tell = (event: WorkerEvent) => {
    for (const listener of listeners) listener(event)
  }
  const door = wrap<Door>(thread)
  const worker = (await Promise.race([door.open(proxy(tell)), broken])) as unknown as Remote<PageWorker>
  const listen = (listener: Listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
  return { worker, adapter: await worker.adapter(), listen }
}

const context = createContext<WorkerLink | null>(null)
export const WorkerProvider = context.Provider

export function useWorker(): WorkerLink {
  return useContext(context)!
}

/** Hears all events of the worker while the component is there. */
export function useWorkerEvents(listener: Listener): void {
  const { listen } = useWorker()
  useEffect(() => listen(listener), [])
}

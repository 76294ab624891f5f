import { proxy, type Remote, wrap } from 'comlink'
import { createContext } from 'preact'
import { useContext, useEffect } from 'preact/hooks'
import type { AdapterSummary, StudioEvent } from './protocol.js'
import type { Studio } from './worker/studio.js'
import type { Door } from './worker/worker.js'

type Listener = (event: StudioEvent) => void

/** The page's end of the worker: its methods, its events, and what it computes on. */
export interface StudioLink {
  readonly studio: Remote<Studio>
  readonly adapter: AdapterSummary
  /** Returns the undoing. */
  listen(listener: Listener): () => void
}

/** Starts the worker. Rejects with a sentence for the visitor where this browser cannot compute. */
export async function openStudio(): Promise<StudioLink> {
  const listeners = new Set<Listener>()
  const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' })
  const broken = new Promise<never>((_, reject) => {
    worker.onerror = (event) => reject(new Error(`The page's worker does not run: ${event.message ?? ''}`))
  })
  const tell = (event: StudioEvent) => {
    for (const listener of listeners) listener(event)
  }
  const door = wrap<Door>(worker)
  const studio = (await Promise.race([door.open(proxy(tell)), broken])) as unknown as Remote<Studio>
  const listen = (listener: Listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
  return { studio, adapter: await studio.adapter(), listen }
}

const context = createContext<StudioLink | null>(null)
export const StudioProvider = context.Provider

export function useStudio(): StudioLink {
  return useContext(context)!
}

/** Hears all events of the worker while the component is there. */
export function useStudioEvents(listener: Listener): void {
  const { listen } = useStudio()
  useEffect(() => listen(listener), [])
}

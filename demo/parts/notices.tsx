import { useState } from 'preact/hooks'
import type { AdapterSummary } from '../protocol.js'
import { useWorkerEvents } from '../workerLink.js'

/** What computes, and an honest word where it is the CPU. */
export function Badge({ description, software }: AdapterSummary) {
  return (
    <p class="adapter">
      <span class={software ? 'badge software' : 'badge'}>{software ? 'software adapter' : 'GPU'}</span>{' '}
      {description}
      {software && <span class="aside">. It runs on the CPU; a GPU is much faster.</span>}
    </p>
  )
}

interface Note {
  readonly text: string
  readonly kind: 'note' | 'error' | 'lost'
}

/** A line once. Whatever fails because the device is lost is no news beside that. */
function withNote(all: readonly Note[], note: Note): readonly Note[] {
  if (note.kind === 'lost') return [...all.filter(({ kind }) => kind === 'note'), note]
  if (note.kind === 'error' && all.some(({ kind }) => kind === 'lost')) return all
  return [...all.filter((other) => other.text !== note.text), note]
}

/** Lines from the worker: what was tuned, what could not be saved, what failed. Each can be dismissed. */
export function Notes() {
  const [notes, setNotes] = useState<readonly Note[]>([])
  useWorkerEvents((event) => {
    if (event.type !== 'note' && event.type !== 'failed' && event.type !== 'lost') return
    const text =
      event.type === 'lost'
        ? `The connection to the GPU was lost: ${event.text} Reload the page to continue.`
        : event.text
    const kind = event.type === 'failed' ? 'error' : event.type
    setNotes((all) => withNote(all, { text, kind }))
  })
  if (notes.length === 0) return null
  return (
    <ul class="notes" aria-live="polite">
      {notes.map(({ text, kind }) => (
        <li key={text} class={kind === 'note' ? 'note' : 'error'}>
          <span>{text}</span>
          <button
            type="button"
            aria-label="Dismiss"
            onClick={() => setNotes(notes.filter((n) => n.text !== text))}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  )
}

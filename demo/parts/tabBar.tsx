import { useEffect, useState } from 'preact/hooks'
import type { Act } from '../app.js'

/** The act that the address names after #, so that one can be linked to. */
export function useHashTab(acts: readonly Act[]): readonly [string, (id: string) => void] {
  const named = () => acts.find(({ id }) => location.hash === `#${id}`)?.id ?? acts[0].id
  const [current, setCurrent] = useState(named)
  useEffect(() => {
    const change = () => setCurrent(named())
    addEventListener('hashchange', change)
    return () => removeEventListener('hashchange', change)
  }, [])
  const choose = (id: string) => {
    location.hash = id
  }
  return [current, choose]
}

interface Props {
  readonly acts: readonly Act[]
  readonly current: string
  readonly choose: (id: string) => void
}

/** Arrow keys move between tabs, as the ARIA pattern for tabs wants it. */
export function Tabs({ acts, current, choose }: Props) {
  // On a phone not all have room.
  useEffect(() => {
    document.getElementById(`tab-${current}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [current])
  const move = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!by) return
    const at = acts.findIndex(({ id }) => id === current)
    const next = acts[(at + by + acts.length) % acts.length]
    choose(next.id)
    document.getElementById(`tab-${next.id}`)?.focus()
  }
  return (
    <div class="tabs" role="tablist" aria-label="Acts" onKeyDown={move}>
      {acts.map(({ id, title }, at) => (
        <button
          key={id}
          id={`tab-${id}`}
          type="button"
          role="tab"
          aria-selected={id === current}
          aria-controls={`act-${id}`}
          tabIndex={id === current ? 0 : -1}
          onClick={() => choose(id)}
        >
          <span class="number">{at + 1}</span> {title}
        </button>
      ))}
    </div>
  )
}

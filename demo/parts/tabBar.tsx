import { useEffect, useState } from 'preact/hooks'
import type { Tab } from '../app.js'

/** The tab that the address names after #, so that one can be linked to. */
export function useHashTab(tabs: readonly Tab[]): readonly [string, (id: string) => void] {
  const named = () => tabs.find(({ id }) => location.hash === `#${id}`)?.id ?? tabs[0].id
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
  readonly tabs: readonly Tab[]
  readonly current: string
  readonly choose: (id: string) => void
}

/** Arrow keys move between tabs, as in the ARIA pattern for tabs. */
export function TabBar({ tabs, current, choose }: Props) {
  // On a phone not all have room.
  useEffect(() => {
    document.getElementById(`tab-${current}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [current])
  const move = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!by) return
    const at = tabs.findIndex(({ id }) => id === current)
    const next = tabs[(at + by + tabs.length) % tabs.length]
    choose(next.id)
    document.getElementById(`tab-${next.id}`)?.focus()
  }
  return (
    <div class="tabs" role="tablist" aria-label="Parts of this page" onKeyDown={move}>
      {tabs.map(({ id, title }, at) => (
        <button
          key={id}
          id={`tab-${id}`}
          type="button"
          role="tab"
          aria-selected={id === current}
          aria-controls={`panel-${id}`}
          tabIndex={id === current ? 0 : -1}
          onClick={() => choose(id)}
        >
          <span class="number">{at + 1}</span> {title}
        </button>
      ))}
    </div>
  )
}

import { useEffect, useState } from 'preact/hooks'
import { keepPreference, readPreference } from '../preferences.js'

const KEY = 'theme'
const themes = ['system', 'light', 'dark'] as const
type Theme = (typeof themes)[number]

/** Fired on window when colors change: canvases must be drawn again. */
export const themeChange = 'themechange'

/** Light, dark, or as the system has it. Colors follow by CSS light-dark(). */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(() => themes.find((name) => name === readPreference(KEY)) ?? 'system')
  useEffect(() => {
    document.documentElement.style.colorScheme = theme === 'system' ? 'light dark' : theme
    dispatchEvent(new Event(themeChange))
  }, [theme])
  const choose = (next: Theme) => {
    keepPreference(KEY, next)
    setTheme(next)
  }
  return (
    <label class="theme">
      <span class="visually-hidden">Colors</span>
      <select value={theme} onChange={(event) => choose(event.currentTarget.value as Theme)}>
        <option value="system">System colors</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  )
}

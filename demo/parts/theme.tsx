import { useEffect, useState } from 'preact/hooks'

const KEY = 'theme'
const themes = ['system', 'light', 'dark'] as const
type Theme = (typeof themes)[number]

/** Fired on window when colours change: canvases must be drawn again. */
export const themeChange = 'themechange'

/** Light, dark, or as the system has it. Colours follow by CSS light-dark(). */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(
    () => themes.find((name) => name === localStorage.getItem(KEY)) ?? 'system',
  )
  useEffect(() => {
    document.documentElement.style.colorScheme = theme === 'system' ? 'light dark' : theme
    dispatchEvent(new Event(themeChange))
  }, [theme])
  const choose = (next: Theme) => {
    localStorage.setItem(KEY, next)
    setTheme(next)
  }
  return (
    <label class="theme">
      <span class="visually-hidden">Colours</span>
      <select value={theme} onChange={(event) => choose(event.currentTarget.value as Theme)}>
        <option value="system">System colours</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  )
}

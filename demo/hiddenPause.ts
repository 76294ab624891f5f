import { useEffect, useState } from 'preact/hooks'
import { useStudio } from './studioLink.js'

const KEY = 'pauseWhenHidden'

/** Pauses training while the page is hidden, if the visitor wants it so; a training that was paused so goes on by itself. */
export function useHiddenPause(): { readonly wanted: boolean; readonly toggle: () => void } {
  const { studio } = useStudio()
  const [wanted, setWanted] = useState(localStorage.getItem(KEY) !== 'no')
  useEffect(() => {
    if (!wanted) return
    let paused: Promise<string[]> = Promise.resolve([])
    const change = async () => {
      if (document.hidden) paused = studio.pauseAll()
      else {
        await studio.resumeAll(await paused)
        paused = Promise.resolve([])
      }
    }
    document.addEventListener('visibilitychange', change)
    return () => document.removeEventListener('visibilitychange', change)
  }, [wanted])
  const toggle = () => {
    localStorage.setItem(KEY, wanted ? 'no' : 'yes')
    setWanted(!wanted)
  }
  return { wanted, toggle }
}

import { useEffect, useState } from 'preact/hooks'
import { oneAfterOther } from './oneAfterOther.js'
import { keepPreference, readPreference } from './preferences.js'
import { useWorker } from './workerLink.js'

const KEY = 'pauseWhenHidden'

/**
 * Pauses training while the page is hidden, if the visitor wants it so; a training that was paused so goes on
 * by itself.
 */
export function useHiddenPause(): { readonly wanted: boolean; readonly toggle: () => void } {
  const { worker } = useWorker()
  const [wanted, setWanted] = useState(readPreference(KEY) !== 'no')
  useEffect(() => {
    if (!wanted) return
    const follow = () => (document.hidden ? worker.restAll() : worker.wakeAll())
    // A page may come and go faster than a training comes to rest.
    const inTurn = oneAfterOther()
    const change = () => inTurn(follow)
    // It may have been opened in the background.
    if (document.hidden) change()
    document.addEventListener('visibilitychange', change)
    return () => document.removeEventListener('visibilitychange', change)
  }, [wanted])
  const toggle = () => {
    keepPreference(KEY, wanted ? 'no' : 'yes')
    setWanted(!wanted)
  }
  return { wanted, toggle }
}

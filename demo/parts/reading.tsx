import { useState } from 'preact/hooks'
import { useWorkerEvents } from '../workerLink.js'

/** A folder's images on their way: all are read before the first step. */
export function Reading() {
  const [share, setShare] = useState(0)
  useWorkerEvents((event) => {
    if (event.type === 'reading') setShare(event.share)
  })
  if (share === 0 || share === 1) return null
  return (
    <label class="loading">
      Reading the images <progress value={share} />
    </label>
  )
}

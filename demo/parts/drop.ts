import { useEffect, useRef, useState } from 'preact/hooks'

interface Place {
  readonly current: HTMLElement | null
}

/** Whether the tab of this element is the one that is shown. */
export function inSight(element: HTMLElement): boolean {
  return element.offsetParent !== null
}

/** A drop that nobody takes makes the browser leave the page for the file: from now on it stays. */
export function stayOnDrop(): void {
  for (const type of ['dragover', 'drop'] as const)
    document.addEventListener(type, (event) => event.preventDefault())
}

/**
 * What is dropped anywhere on the page while the tab of `root` is in sight; `take` is null while nothing can
 * be taken. Returns whether something that would be taken hovers over the page.
 */
export function useDrop(root: Place, take: ((data: DataTransfer) => void) | null): boolean {
  const [over, setOver] = useState(false)
  const latest = useRef(take)
  latest.current = take
  useEffect(() => {
    const hear = (event: DragEvent) => {
      const taking = latest.current !== null && inSight(root.current!)
      // The pointer leaves the page where it enters nothing else of it.
      const within = event.type === 'dragover' || (event.type === 'dragleave' && event.relatedTarget !== null)
      setOver(taking && within)
      if (taking && event.type === 'drop') latest.current!(event.dataTransfer!)
    }
    const types = ['dragover', 'dragleave', 'drop'] as const
    for (const type of types) document.addEventListener(type, hear)
    return () => {
      for (const type of types) document.removeEventListener(type, hear)
    }
  }, [])
  return over
}

/** Files pasted while the tab of `root` is in sight, the first one of each time. */
export function usePaste(root: Place, take: (file: File) => void): void {
  const latest = useRef(take)
  latest.current = take
  useEffect(() => {
    const hear = (event: ClipboardEvent) => {
      const [file] = event.clipboardData?.files ?? []
      if (!file || !inSight(root.current!)) return
      event.preventDefault()
      latest.current(file)
    }
    document.addEventListener('paste', hear)
    return () => document.removeEventListener('paste', hear)
  }, [])
}

import { useEffect, useRef, useState } from 'preact/hooks'
import { useStudio } from '../studioLink.js'
import type { Models } from './models.js'
import type { Viewing } from './viewing.js'

interface Question {
  readonly file: string
  /** Of the run that would be lost. */
  readonly step: number
  readonly replace: () => void
  readonly keep: () => void
}

/** Takes pictures and model files, told apart by their names. Asks before the visitor's own run is replaced. */
export function useOpenFile(models: Models, viewing: Viewing) {
  const { studio } = useStudio()
  const [question, ask] = useState<Question | null>(null)
  const openModel = async (file: File, replace: boolean) => {
    ask(null)
    viewing.setProblem(null)
    try {
      const opened = await studio.tryIt.open(file, replace)
      await models.refresh()
      if (opened.model) return models.choose(opened.model)
      const answers = { replace: () => openModel(file, true), keep: () => ask(null) }
      ask({ file: file.name, step: opened.wouldReplaceStep, ...answers })
    } catch (error) {
      viewing.setProblem((error as Error).message)
    }
  }
  const open = (file: File) =>
    file.name.endsWith('.safetensors') ? openModel(file, false) : viewing.showPhoto(file, file.name)
  return { open, question }
}

/** Whether the file shall have the place of the visitor's own run. */
export function Replace({ file, step, replace, keep }: Question) {
  return (
    <div class="notice" role="alert">
      <p>
        {file} holds a masked autoencoder, which belongs in act 1. The run that is there, now at step {step},
        would be lost.
      </p>
      <div class="buttons">
        <button type="button" onClick={replace}>
          Replace it
        </button>
        <button type="button" onClick={keep}>
          Keep mine
        </button>
      </div>
    </div>
  )
}

/** Files dropped anywhere on the page, and pictures pasted, while the act is in sight. Returns whether a file hovers over the page. */
export function useDropAndPaste(
  root: { readonly current: HTMLElement | null },
  open: (file: File) => void,
): boolean {
  const [over, setOver] = useState(false)
  const latest = useRef(open)
  latest.current = open
  useEffect(() => {
    const take = (event: DragEvent | ClipboardEvent) => {
      if (!inSight(root.current!)) return
      const data = 'dataTransfer' in event ? event.dataTransfer : event.clipboardData
      const [file] = data?.files ?? []
      // A drop that nobody takes makes the browser leave the page for the file.
      if (file || event.type !== 'paste') event.preventDefault()
      // The pointer leaves the page where it enters nothing else of it.
      setOver(
        event.type === 'dragover' ||
          (event.type === 'dragleave' && (event as DragEvent).relatedTarget !== null),
      )
      if (file) latest.current(file)
    }
    const types = ['dragover', 'dragleave', 'drop', 'paste'] as const
    for (const type of types) document.addEventListener(type, take)
    return () => {
      for (const type of types) document.removeEventListener(type, take)
    }
  }, [])
  return over
}

/** Whether the act of this element is the one that is shown. */
export function inSight(element: HTMLElement): boolean {
  return element.offsetParent !== null
}

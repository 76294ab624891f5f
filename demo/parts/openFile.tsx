import { useState } from 'preact/hooks'
import { useWorker } from '../workerLink.js'
import type { Models } from './models.js'
import type { Viewing } from './viewing.js'

interface Question {
  readonly file: string
  /** Of the run that would be lost. */
  readonly step: number
  readonly replace: () => void
  readonly keep: () => void
}

/** Takes images and model files, told apart by their names. Asks before the visitor's own run is replaced. */
export function useOpenFile(models: Models, viewing: Viewing) {
  const { worker } = useWorker()
  const [question, ask] = useState<Question | null>(null)
  const openModel = async (file: File, replace: boolean) => {
    ask(null)
    viewing.setProblem(null)
    try {
      const opened = await worker.tryIt.open(file, replace)
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

/** Asks whether the file replaces the visitor's own run. */
export function Replace({ file, step, replace, keep }: Question) {
  return (
    <div class="notice" role="alert">
      <p>
        {file} contains a masked autoencoder. Opening it replaces the run of the Pretrain tab, which is at
        step {step}.
      </p>
      <div class="buttons">
        <button type="button" onClick={replace}>
          Replace the run
        </button>
        <button type="button" onClick={keep}>
          Keep the run
        </button>
      </div>
    </div>
  )
}

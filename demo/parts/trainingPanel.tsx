import type { ComponentChildren } from 'preact'
import type { Commands } from './commands.js'
import { RunButtons } from './controls.js'
import { saveFile } from './download.js'
import type { JobView } from './jobState.js'
import { Reading } from './reading.js'

interface Props {
  readonly job: JobView
  readonly commands: Commands
  /** While another folder is opened. */
  readonly locked: boolean
  /** Of the file that is downloaded. */
  readonly fileName: string
  /** Begins or goes on, with one step or with all of them. */
  readonly start: (oneStep: boolean) => Promise<void>
  readonly pause: () => Promise<void>
  readonly reset: () => Promise<void>
  readonly download: () => Promise<readonly Uint8Array[]>
  /** The settings. */
  readonly children: ComponentChildren
}

/** The buttons of a training on a visitor's folder, what went wrong, and its settings. */
export function TrainingPanel(props: Props) {
  const { job, commands, locked, fileName, start, pause, reset, download, children } = props
  const { busy, problem, run } = commands
  return (
    <div class="panel controls">
      <RunButtons
        status={job.status}
        busy={busy || locked}
        start={() => run(() => start(false))}
        pause={() => run(pause)}
        step={() => run(() => start(true))}
        reset={() => run(reset)}
      />
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {busy && <Reading />}
      {children}
      {job.status.step > 0 && (
        <button
          type="button"
          class="quiet"
          disabled={busy || locked}
          onClick={() => run(async () => saveFile(fileName, await download()))}
        >
          Download (.safetensors)
        </button>
      )}
    </div>
  )
}

import type { ComponentChildren } from 'preact'
import type { Commands } from './commands.js'
import { RunButtons } from './controls.js'
import { saveFile } from './download.js'
import { Reading } from './reading.js'
import type { RunView } from './runState.js'

interface Props {
  readonly run: RunView
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
  const { run, commands, locked, fileName, start, pause, reset, download, children } = props
  const { busy, problem, send } = commands
  return (
    <div class="panel controls">
      <RunButtons
        status={run.status}
        busy={busy || locked}
        start={() => send(() => start(false))}
        pause={() => send(pause)}
        step={() => send(() => start(true))}
        reset={() => send(reset)}
      />
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {busy && <Reading />}
      {children}
      {run.status.step > 0 && (
        <button
          type="button"
          class="quiet"
          disabled={busy || locked}
          onClick={() => send(async () => saveFile(fileName, await download()))}
        >
          Download (.safetensors)
        </button>
      )}
    </div>
  )
}

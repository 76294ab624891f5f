import type { ComponentChildren } from 'preact'
import type { RunName } from '../protocol.js'
import { useWorker } from '../workerLink.js'
import type { Commands } from './commands.js'
import { RunButtons } from './controls.js'
import { saveModel } from './download.js'
import { Reading } from './reading.js'
import type { RunView } from './runState.js'

interface Props {
  readonly run: RunView
  readonly commands: Commands
  /** While another folder is opened. */
  readonly locked: boolean
  readonly name: RunName
  /** Begins or goes on, with one step or with all of them. */
  readonly start: (oneStep: boolean) => Promise<void>
  readonly pause: () => Promise<void>
  readonly reset: () => Promise<void>
  /** The settings. */
  readonly children: ComponentChildren
}

/** The buttons of a training on a visitor's folder, what went wrong, and its settings. */
export function TrainingPanel(props: Props) {
  const { run, commands, locked, name, start, pause, reset, children } = props
  const { busy, problem, send } = commands
  const { worker } = useWorker()
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
          onClick={() => send(() => saveModel(worker, name))}
        >
          Download the model
        </button>
      )}
    </div>
  )
}

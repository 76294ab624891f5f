import { useState } from 'preact/hooks'
import type { Evaluation, RunName, RunStatus, Speed, StepPoint, WorkerEvent } from '../protocol.js'
import { useWorkerEvents } from '../workerLink.js'

const idle: RunStatus = { state: 'empty', step: 0, totalSteps: 0, epochs: 0 }

type Reconstructions = Extract<WorkerEvent, { type: 'reconstructions' }>

export interface RunView {
  readonly status: RunStatus
  readonly steps: readonly StepPoint[]
  readonly speed: Speed | null
  readonly reconstructions: Reconstructions | null
  /** Of classifiers that are evaluated after each epoch. */
  readonly evaluations: readonly Evaluation[]
  /** Settings of a run that was begun or restored. */
  readonly settings: unknown
}

const nothing: RunView = {
  status: idle,
  steps: [],
  speed: null,
  reconstructions: null,
  evaluations: [],
  settings: null,
}

/** What the page knows of a run, from the worker's events. */
export function useRun(run: RunName): RunView {
  const [view, setView] = useState(nothing)
  useWorkerEvents((event) => {
    if (!('run' in event) || event.run !== run) return
    setView((before) => after(before, event))
  })
  return view
}

function after(view: RunView, event: WorkerEvent): RunView {
  switch (event.type) {
    case 'status':
      return { ...(event.status.state === 'empty' ? nothing : view), status: event.status }
    case 'history':
      return { ...view, settings: event.settings, steps: event.steps }
    case 'steps':
      return { ...view, steps: [...view.steps, ...event.steps], speed: event.speed }
    case 'evaluations':
      return { ...view, evaluations: event.evaluations }
    case 'reconstructions':
      return { ...view, reconstructions: event }
    default:
      return view
  }
}

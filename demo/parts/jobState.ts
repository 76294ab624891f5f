import { useState } from 'preact/hooks'
import type { Evaluation, JobName, JobStatus, Speed, StepPoint, StudioEvent } from '../protocol.js'
import { useStudioEvents } from '../studioLink.js'

const idle: JobStatus = { state: 'empty', step: 0, totalSteps: 0, epochs: 0 }

type Reconstructions = Extract<StudioEvent, { type: 'reconstructions' }>

export interface JobView {
  readonly status: JobStatus
  readonly steps: readonly StepPoint[]
  readonly speed: Speed | null
  readonly reconstructions: Reconstructions | null
  /** Of classifiers that are examined after each epoch. */
  readonly evaluations: readonly Evaluation[]
  /** Settings of a run that was begun or restored. */
  readonly settings: unknown
}

const nothing: JobView = {
  status: idle,
  steps: [],
  speed: null,
  reconstructions: null,
  evaluations: [],
  settings: null,
}

/** What the page knows of a run, from the worker's events. */
export function useJob(job: JobName): JobView {
  const [view, setView] = useState(nothing)
  useStudioEvents((event) => {
    if (!('job' in event) || event.job !== job) return
    setView((before) => after(before, event))
  })
  return view
}

function after(view: JobView, event: StudioEvent): JobView {
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

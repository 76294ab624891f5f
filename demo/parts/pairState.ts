import { useState } from 'preact/hooks'
import type { FineTunePlan, RunStatus, WorkerEvent } from '../protocol.js'
import { useWorkerEvents } from '../workerLink.js'
import { type RunView, useRun } from './runState.js'

type Evaluations = Extract<WorkerEvent, { type: 'pairEvaluations' }>
type Maps = Extract<WorkerEvent, { type: 'featureMaps' }>

interface Known {
  readonly status: RunStatus
  readonly plan: FineTunePlan | null
  readonly evaluating: boolean
  readonly evaluations: Evaluations | null
  readonly maps: Maps['maps'] | null
}

export interface PairView extends Known {
  readonly plain: RunView
  readonly iat: RunView
}

const nothing: Known = {
  status: { state: 'empty', step: 0, totalSteps: 0, epochs: 0 },
  plan: null,
  evaluating: false,
  evaluations: null,
  maps: null,
}

/** What the page knows of the two classifiers of the Fine-tune tab, from the worker's events. */
export function usePair(): PairView {
  const [known, setKnown] = useState(nothing)
  const plain = useRun('fineTunePlain')
  const iat = useRun('fineTuneIat')
  useWorkerEvents((event) => setKnown((before) => after(before, event)))
  return { ...known, plain, iat }
}

function after(known: Known, event: WorkerEvent): Known {
  switch (event.type) {
    case 'fineTune':
      return event.status.state === 'empty'
        ? nothing
        : { ...known, status: event.status, plan: event.plan, evaluating: event.evaluating }
    case 'pairEvaluations':
      return { ...known, evaluations: event }
    case 'featureMaps':
      return { ...known, maps: event.maps }
    default:
      return known
  }
}

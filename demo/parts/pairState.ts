import { useState } from 'preact/hooks'
import type { FineTunePlan, JobStatus, StudioEvent } from '../protocol.js'
import { useStudioEvents } from '../studioLink.js'
import { type JobView, useJob } from './jobState.js'

type Exams = Extract<StudioEvent, { type: 'exams' }>
type Maps = Extract<StudioEvent, { type: 'featureMaps' }>

interface Known {
  readonly status: JobStatus
  readonly plan: FineTunePlan | null
  readonly examining: boolean
  readonly exams: Exams | null
  readonly maps: Maps['maps'] | null
}

export interface PairView extends Known {
  readonly plain: JobView
  readonly iat: JobView
}

const nothing: Known = {
  status: { state: 'empty', step: 0, totalSteps: 0, epochs: 0 },
  plan: null,
  examining: false,
  exams: null,
  maps: null,
}

/** What the page knows of act 2's two classifiers, from the worker's events. */
export function usePair(): PairView {
  const [known, setKnown] = useState(nothing)
  const plain = useJob('fineTunePlain')
  const iat = useJob('fineTuneIat')
  useStudioEvents((event) => setKnown((before) => after(before, event)))
  return { ...known, plain, iat }
}

function after(known: Known, event: StudioEvent): Known {
  switch (event.type) {
    case 'fineTune':
      return event.status.state === 'empty'
        ? nothing
        : { ...known, status: event.status, plan: event.plan, examining: event.examining }
    case 'exams':
      return { ...known, exams: event }
    case 'featureMaps':
      return { ...known, maps: event.maps }
    default:
      return known
  }
}

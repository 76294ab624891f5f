import { useEffect, useRef, useState } from 'preact/hooks'
import type { RunName, RunState } from '../protocol.js'
import type { ModelId, ModelSummary } from '../worker/tryIt.js'
import { useWorker, useWorkerEvents } from '../workerLink.js'

export interface Models {
  readonly all: readonly ModelSummary[]
  /** The chosen one; null while the page has none. */
  readonly chosen: ModelSummary | null
  readonly choose: (id: ModelId) => void
  readonly refresh: () => Promise<void>
}

/** The models that images can be given to. A classifier comes before an encoder that knows no AUs. */
export function useModels(): Models {
  const { worker } = useWorker()
  const [all, setAll] = useState<readonly ModelSummary[]>([])
  const [wanted, choose] = useState<ModelId | null>(null)
  const refresh = async () => setAll(await worker.tryIt.models())
  useEffect(() => {
    refresh()
  }, [])
  const states = useRef(new Map<RunName, RunState>())
  useWorkerEvents((event) => {
    if (event.type !== 'status' || states.current.get(event.run) === event.status.state) return
    states.current.set(event.run, event.status.state)
    refresh()
  })
  const preferred = all.find(({ aus }) => aus.length > 0) ?? all[0]
  return { all, chosen: all.find(({ id }) => id === wanted) ?? preferred ?? null, choose, refresh }
}

export function modelTitle({ id, lambda, file }: ModelSummary): string {
  return file ?? titles[id](lambda)
}

/** "12 AUs, λ = 1, 64 px, step 3360". */
export function modelDetails({ aus, lambda, imageSize, step }: ModelSummary): string {
  const outputs = aus.length > 0 ? `${aus.length} AUs, λ = ${lambda}` : 'no AUs'
  return `${outputs}, ${imageSize} px, step ${step}`
}

const titles: Readonly<Record<ModelId, (lambda: number) => string>> = {
  dropped: () => 'Model file',
  fineTunePlain: () => 'Fine-tune, λ = 0',
  fineTuneIat: (lambda) => `Fine-tune, λ = ${lambda}`,
  ownFineTune: (lambda) => `Your own data, λ = ${lambda}`,
  pretrain: () => 'Pretrain, encoder only',
  ownPretrain: () => 'Your own data, encoder only',
}

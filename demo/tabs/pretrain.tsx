import { useEffect, useState } from 'preact/hooks'
import { useCommands } from '../parts/commands.js'
import { RunButtons } from '../parts/controls.js'
import { PretrainCurve, PretrainForm, Readings, Reconstructions } from '../parts/pretraining.js'
import { useRun } from '../parts/runState.js'
import { pretrainDefaultSettings, pretrainSettingsSchema } from '../protocol.js'
import { useWorker, useWorkerEvents } from '../workerLink.js'

/** Act 1: a masked autoencoder learns the bundled faces, live. */
export function Pretrain() {
  const { worker } = useWorker()
  const run = useRun('pretrain')
  const [settings, setSettings] = useState(pretrainDefaultSettings)
  const { busy, problem, send } = useCommands()
  useEffect(() => {
    const read = pretrainSettingsSchema.safeParse(run.settings)
    if (read.success) setSettings(read.data)
  }, [run.settings])
  return (
    <div class="act">
      <div class="intro">
        <h2>Pretrain: hide most of a face, learn to fill it in</h2>
        <p>
          The network sees {Math.round(100 * (1 - settings.maskRatio))} % of each picture and learns to draw
          the rest. Below are people whom it never trains on. Nobody tells it what a mouth is.
        </p>
      </div>
      <div class="panel controls">
        <RunButtons
          status={run.status}
          busy={busy}
          start={() => send(() => worker.pretrain.begin(settings))}
          pause={() => send(() => worker.pretrain.pause())}
          step={() => send(() => worker.pretrain.advance(1, settings))}
          reset={() => send(() => worker.pretrain.reset())}
        />
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <Loading />
        <PretrainForm
          settings={settings}
          fixed={run.status.state !== 'empty'}
          batches={[16, 32, 64, 128]}
          epochs={[2, 4, 8, 16, 32]}
          change={setSettings}
        />
      </div>
      <div class="views">
        <Reconstructions title="People it never trains on" run={run} />
        <PretrainCurve run={run} />
        <Readings run={run} />
      </div>
    </div>
  )
}

/** The faces come from the page's own folder, the first time they are needed. */
function Loading() {
  const [share, setShare] = useState<number | null>(null)
  useWorkerEvents((event) => {
    if (event.type === 'loading') setShare(event.share)
  })
  if (share === null || share === 1) return null
  return (
    <label class="loading">
      Fetching faces <progress value={share} />
    </label>
  )
}

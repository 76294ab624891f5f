import { useEffect, useState } from 'preact/hooks'
import { useCommands } from '../parts/commands.js'
import { RunButtons } from '../parts/controls.js'
import { PretrainCurve, Readings, Reconstructions } from '../parts/pretraining.js'
import { useRun } from '../parts/runState.js'
import { PretrainForm } from '../parts/settingForms.js'
import { pretrainDefaultSettings, pretrainSettingsSchema } from '../protocol.js'
import { useWorker, useWorkerEvents } from '../workerLink.js'

/** A masked autoencoder learns the bundled faces, live. */
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
    <div class="tab">
      <div class="intro">
        <h2>Pretrain: reconstruct masked faces</h2>
        <p>
          The network sees {Math.round(100 * (1 - settings.maskRatio))}% of each image and learns to
          reconstruct the rest. It needs no labels. The images below show held-out subjects: the network never
          trains on them.
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
        <Reconstructions title="Reconstructions of held-out subjects" run={run} />
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
      Loading the face images <progress value={share} />
    </label>
  )
}

import { useEffect, useState } from 'preact/hooks'
import {
  type FolderSummary,
  type PretrainSettings,
  pretrainDefaultSettings,
  pretrainSettingsSchema,
} from '../protocol.js'
import { useWorker } from '../workerLink.js'
import type { Commands } from './commands.js'
import { BATCHES, EPOCHS, fittingBatch, fittingEpochs } from './ownSizes.js'
import { PretrainCurve, PretrainForm, Readings, Reconstructions } from './pretraining.js'
import type { RunView } from './runState.js'
import { TrainingPanel } from './trainingPanel.js'

interface Props {
  readonly run: RunView
  readonly folder: FolderSummary
  readonly commands: Commands
  /** While another folder is opened. */
  readonly locked: boolean
}

/** Act 1 on a visitor's folder. */
export function OwnPretrain({ run, folder, commands, locked }: Props) {
  const { worker } = useWorker()
  const [settings, setSettings] = useState(pretrainDefaultSettings)
  const fixed = run.status.state !== 'empty'
  useEffect(() => {
    const read = pretrainSettingsSchema.safeParse(run.settings)
    setSettings(read.success ? read.data : fitting(folder))
  }, [run.settings, folder])
  const { ownData } = worker
  return (
    <section class="act" aria-label="Pretrain on these">
      <div class="intro">
        <h2>Pretrain on these</h2>
        <p>
          As in act 1, on {folder.pretrainImages} of the {folder.images} pictures. The others show what was
          learnt: {folder.folds.length > 0 ? 'people it never trains on.' : 'it never trains on them.'}
        </p>
      </div>
      <TrainingPanel
        run={run}
        commands={commands}
        locked={locked}
        name="ownPretrain"
        start={(oneStep) => ownData.startPretrain(settings, oneStep)}
        pause={() => ownData.pretrain.pause()}
        reset={() => ownData.pretrain.reset()}
      >
        <PretrainForm
          settings={settings}
          fixed={fixed}
          batches={BATCHES}
          epochs={EPOCHS}
          change={setSettings}
        />
      </TrainingPanel>
      <div class="views">
        <Reconstructions title="Pictures it never trains on" run={run} />
        <PretrainCurve run={run} />
        <Readings run={run} />
      </div>
    </section>
  )
}

function fitting({ pretrainImages }: FolderSummary): PretrainSettings {
  const batchSize = fittingBatch(pretrainImages, pretrainDefaultSettings.batchSize)
  return { ...pretrainDefaultSettings, batchSize, epochs: fittingEpochs(pretrainImages, batchSize) }
}

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
import { PretrainCurve, Readings, Reconstructions } from './pretraining.js'
import type { RunView } from './runState.js'
import { PretrainForm } from './settingForms.js'
import { TrainingPanel } from './trainingPanel.js'

interface Props {
  readonly run: RunView
  readonly folder: FolderSummary
  readonly commands: Commands
  /** While another folder is opened. */
  readonly locked: boolean
}

/** Pretraining on a visitor's folder. */
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
    <section class="tab" aria-label="Pretrain on your images">
      <div class="intro">
        <h2>Pretrain on your images</h2>
        <p>
          A masked autoencoder trains on {folder.pretrainImages} of the {folder.images} images. The others{' '}
          {folder.folds.length > 0 ? 'show held-out subjects. ' : 'are held out. '}
          The page reconstructs some of them.
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
        <Reconstructions title="Reconstructions of held-out images" run={run} />
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

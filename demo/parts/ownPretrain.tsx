import { useEffect, useState } from 'preact/hooks'
import {
  type FolderSummary,
  type PretrainSettings,
  pretrainDefaultSettings,
  pretrainSettingsSchema,
} from '../protocol.js'
import { useStudio } from '../studioLink.js'
import type { Commands } from './commands.js'
import type { JobView } from './jobState.js'
import { BATCHES, EPOCHS, fittingBatch, fittingEpochs } from './ownSizes.js'
import { PretrainCurve, PretrainForm, Readings, Reconstructions } from './pretraining.js'
import { TrainingPanel } from './trainingPanel.js'

interface Props {
  readonly job: JobView
  readonly folder: FolderSummary
  readonly commands: Commands
  /** While another folder is opened. */
  readonly locked: boolean
}

/** Act 1 on a visitor's folder. */
export function OwnPretrain({ job, folder, commands, locked }: Props) {
  const { studio } = useStudio()
  const [settings, setSettings] = useState(pretrainDefaultSettings)
  const fixed = job.status.state !== 'empty'
  useEffect(() => {
    const read = pretrainSettingsSchema.safeParse(job.settings)
    setSettings(read.success ? read.data : fitting(folder))
  }, [job.settings, folder])
  const { ownData } = studio
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
        job={job}
        commands={commands}
        locked={locked}
        fileName="ownPretrain.safetensors"
        start={(oneStep) => ownData.startPretrain(settings, oneStep)}
        pause={() => ownData.pretrain.pause()}
        reset={() => ownData.pretrain.reset()}
        download={() => ownData.pretrain.download()}
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
        <Reconstructions title="Pictures it never trains on" job={job} />
        <PretrainCurve job={job} />
        <Readings job={job} />
      </div>
    </section>
  )
}

function fitting({ pretrainImages }: FolderSummary): PretrainSettings {
  const batchSize = fittingBatch(pretrainImages, pretrainDefaultSettings.batchSize)
  return { ...pretrainDefaultSettings, batchSize, epochs: fittingEpochs(pretrainImages, batchSize) }
}

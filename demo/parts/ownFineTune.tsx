import { useEffect, useMemo, useState } from 'preact/hooks'
import { auName } from '../../src/data/actionUnits.js'
import {
  type Evaluation,
  type FineTuneSettings,
  type FolderSummary,
  fineTuneDefaultSettings,
  fineTuneSettingsSchema,
  type OwnFineTunePlan,
  ownFineTunePlanSchema,
} from '../protocol.js'
import { useWorker } from '../workerLink.js'
import type { Commands } from './commands.js'
import { LineChart } from './lineChart.js'
import { BATCHES, EPOCHS, fittingBatch, fittingEpochs } from './ownSizes.js'
import { Readings } from './pretraining.js'
import type { RunView } from './runState.js'
import { FineTuneForm } from './settingForms.js'
import { TrainingPanel } from './trainingPanel.js'

interface Props {
  readonly run: RunView
  /** The pretraining on the same folder. */
  readonly pretrain: RunView
  readonly bundled: RunView
  readonly folder: FolderSummary
  readonly commands: Commands
  /** While another folder is opened. */
  readonly locked: boolean
}

/** Fine-tuning on a visitor's folder, with one classifier. */
export function OwnFineTune(props: Props) {
  const { folder } = props
  const { fineTune, noFineTune } = folder
  return (
    <section class="tab" aria-label="Fine-tune on your images">
      <div class="intro">
        <h2>Fine-tune on your images</h2>
        <p>
          {fineTune
            ? `A classifier learns the ${folder.aus.length} action units from ${fineTune.train} images. After each epoch it is evaluated on ${fineTune.test} images of held-out subjects.${fineTune.test < 200 ? ' Scores on so few images are noisy.' : ''}`
            : `Not available for this folder. ${noFineTune}.`}
        </p>
      </div>
      {fineTune && <Training {...props} train={fineTune.train} />}
    </section>
  )
}

function Training(props: Props & { readonly train: number }) {
  const { run, pretrain, bundled, folder, commands, locked, train } = props
  const { ownData } = useWorker().worker
  const [settings, setSettings] = useState<FineTuneSettings>(() => fitting(train))
  useEffect(() => {
    const read = fineTuneSettingsSchema.safeParse(run.settings)
    setSettings(read.success ? read.data : fitting(train))
  }, [run.settings, train])
  return (
    <>
      <TrainingPanel
        run={run}
        commands={commands}
        locked={locked}
        name="ownFineTune"
        start={(oneStep) => ownData.startFineTune(settings, oneStep)}
        pause={() => ownData.fineTune.pause()}
        reset={() => ownData.fineTune.reset()}
      >
        <Start plan={run.settings} pretrain={pretrain} bundled={bundled} />
        <FineTuneForm
          settings={settings}
          fixed={run.status.state !== 'empty'}
          leastLambda={0}
          batches={BATCHES}
          epochs={EPOCHS}
          change={setSettings}
        />
      </TrainingPanel>
      <div class="views">
        <div class="columns">
          <Losses run={run} />
          <Scores evaluations={run.evaluations} />
        </div>
        <Units folder={folder} last={run.evaluations.at(-1)} />
        <Readings run={run} />
      </div>
    </>
  )
}

const origins: Readonly<Record<OwnFineTunePlan['from'], string>> = {
  ownPretrain: 'the encoder pretrained on your images',
  pretrain: 'the encoder of the Pretrain tab',
  scratch: 'random weights',
}

/** What the classifier starts from. */
function Start({
  plan,
  pretrain,
  bundled,
}: Pick<Props, 'pretrain' | 'bundled'> & { readonly plan: unknown }) {
  const begun = ownFineTunePlanSchema.safeParse(plan)
  if (begun.success) {
    const { from, pretrainStep } = begun.data
    return <p class="hint">It started from {origin(from, pretrainStep)}.</p>
  }
  const [own, other] = [pretrain.status.step, bundled.status.step]
  const from = own > 0 ? 'ownPretrain' : other > 0 ? 'pretrain' : 'scratch'
  return <p class="hint">It will start from {origin(from, own || other)}.</p>
}

function origin(from: OwnFineTunePlan['from'], step: number | null): string {
  return from === 'scratch' ? origins.scratch : `${origins[from]} (step ${step})`
}

function fitting(train: number): FineTuneSettings {
  const batchSize = fittingBatch(train, fineTuneDefaultSettings.batchSize)
  return { ...fineTuneDefaultSettings, lambda: 0, batchSize, epochs: fittingEpochs(train, batchSize) }
}

function Losses({ run: { steps } }: { readonly run: RunView }) {
  const data = useMemo(
    () => [
      steps.map(({ step }) => step),
      // With λ above 0 the loss has two parts, of which this is the one to compare.
      steps.map(({ losses }) => losses.au ?? losses.loss ?? null),
    ],
    [steps],
  )
  return (
    <LineChart
      title="AU training loss (lower is better)"
      x="step"
      y="cross-entropy"
      series={[{ label: 'loss', tone: '--tone-training' }]}
      data={data}
    />
  )
}

function Scores({ evaluations }: { readonly evaluations: readonly Evaluation[] }) {
  const data = useMemo(
    () => [
      evaluations.map(({ epoch }) => epoch),
      evaluations.map(({ f1At05 }) => f1At05),
      evaluations.map(({ auc }) => auc),
    ],
    [evaluations],
  )
  return (
    <LineChart
      title="Scores on held-out subjects (higher is better)"
      x="epoch"
      y="mean over the AUs"
      series={[
        { label: 'F1', tone: '--tone-held-out' },
        { label: 'AUC', tone: '--tone-probe' },
      ]}
      data={data}
      dots
    />
  )
}

function Units({ folder, last }: { readonly folder: FolderSummary; readonly last: Evaluation | undefined }) {
  if (!last) return <p class="placeholder">Scores appear here after the first epoch.</p>
  return (
    <table class="facts scores">
      <caption>
        Scores on held-out subjects after epoch {last.epoch}. F1 is at threshold 0.5. An AUC of 0.5 is chance.
      </caption>
      <thead>
        <tr>
          <th scope="col">Action unit</th>
          <th scope="col">F1</th>
          <th scope="col">AUC</th>
        </tr>
      </thead>
      <tbody>
        {folder.aus.map(({ unit }, at) => (
          <tr key={unit}>
            <th scope="row">
              AU {unit} <small>{auName(unit)}</small>
            </th>
            <td>{score(last.f1PerAu[at])}</td>
            <td>{score(last.aucPerAu[at])}</td>
          </tr>
        ))}
        <tr>
          <th scope="row">Mean</th>
          <td>{score(last.f1At05)}</td>
          <td>{score(last.auc)}</td>
        </tr>
      </tbody>
    </table>
  )
}

/** A dash where all test images have the unit, or none. */
function score(value: number | null | undefined): string {
  return value?.toFixed(3) ?? '–'
}

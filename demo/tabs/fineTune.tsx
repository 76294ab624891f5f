import { useEffect, useMemo, useState } from 'preact/hooks'
import { useCommands } from '../parts/commands.js'
import { Figure, RunButtons } from '../parts/controls.js'
import { EvaluationCharts, EvaluationTable } from '../parts/evaluations.js'
import { FeatureMaps } from '../parts/featureMap.js'
import { GradientReversalFigure } from '../parts/gradientReversalFigure.js'
import { LineChart } from '../parts/lineChart.js'
import { type PairView, usePair } from '../parts/pairState.js'
import { useRun } from '../parts/runState.js'
import { FineTuneForm } from '../parts/settingForms.js'
import { fineTuneDefaultSettings, fineTuneSettingsSchema, type StepPoint } from '../protocol.js'
import { useWorker } from '../workerLink.js'

/**
 * Two classifiers learn action units from the same encoder, with and without identity adversarial training.
 */
export function FineTune() {
  const { worker } = useWorker()
  const pair = usePair()
  const [settings, setSettings] = useState(fineTuneDefaultSettings)
  const { busy, problem, send } = useCommands()
  useEffect(() => {
    if (pair.plan) setSettings(fineTuneSettingsSchema.parse(pair.plan))
  }, [pair.plan])
  const lambda = `λ = ${settings.lambda.toFixed(1)}`
  return (
    <div class="tab fine-tune">
      <div class="intro">
        <h2>Fine-tune: learn action units, not identities</h2>
        <p>
          Two classifiers start from the same encoder and learn 12 facial action units (AUs), the muscle
          movements that form an expression. One of them also uses identity adversarial training (IAT), which
          removes information about who the subject is. The page compares both on held-out subjects.
        </p>
      </div>
      <div class="panel controls">
        <RunButtons
          status={pair.status}
          busy={busy}
          start={() => send(() => worker.fineTune.begin(settings))}
          pause={() => send(() => worker.fineTune.pause())}
          step={() => send(() => worker.fineTune.advance(1, settings))}
          reset={() => send(() => worker.fineTune.reset())}
        />
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <p class="hint doing" aria-live="polite">
          {doing(pair)}
        </p>
        <Start pair={pair} />
        <FineTuneForm
          settings={settings}
          fixed={pair.status.state !== 'empty'}
          leastLambda={0.1}
          batches={[8, 16, 32, 64]}
          epochs={[1, 2, 4, 8, 16]}
          change={setSettings}
        />
      </div>
      <div class="views">
        <Maps pair={pair} lambda={lambda} />
        <EvaluationTable evaluations={pair.evaluations} lambda={lambda} />
        <Readings pair={pair} />
      </div>
      <div class="views more">
        <GradientReversalFigure lambda={settings.lambda} />
        <EvaluationCharts evaluations={pair.evaluations} lambda={lambda} />
        <LossCharts pair={pair} lambda={lambda} />
      </div>
    </div>
  )
}

function doing({ status, evaluating, evaluations }: PairView): string {
  if (evaluating)
    return evaluations
      ? 'Evaluating both classifiers. Training is paused meanwhile.'
      : 'Evaluating both classifiers before the first step.'
  return status.state === 'running' ? 'Training both classifiers in turns.' : ''
}

/** What the two start from. */
function Start({ pair: { plan } }: { readonly pair: PairView }) {
  const { status } = useRun('pretrain')
  const step = plan ? plan.pretrainStep : status.step || null
  const from = step === null ? 'random weights' : `the encoder of the Pretrain tab (step ${step})`
  if (plan) return <p class="hint">Both started from {from}.</p>
  return (
    <p class="hint">
      Both will start from {from}. {step === null && 'Pretrain first for better results.'}
    </p>
  )
}

interface PairProps {
  readonly pair: PairView
  readonly lambda: string
}

function Maps({ pair: { maps }, lambda }: PairProps) {
  return (
    <section class="maps-section">
      <h3>Map of the features{maps ? ` at step ${maps.step}` : ''}</h3>
      {maps ? (
        <>
          <FeatureMaps maps={maps} lambda={lambda} />
          <p class="hint">
            Each mark is one image. UMAP places images with similar features close together. Circles are
            training subjects and triangles are held-out subjects, with one color per subject. Tight clusters
            of one color mean that the features reveal the subject. In a network this small, the clusters are
            loose from the start. IAT weakens them but does not remove them.
          </p>
        </>
      ) : (
        <p class="placeholder">Maps of 12 subjects appear here. The first is made before the first step.</p>
      )}
    </section>
  )
}

/** Steps over which a loss curve is averaged: single steps of 16 images are noisy. */
const AVERAGED = 20

function LossCharts({ pair: { plain, iat }, lambda }: PairProps) {
  const au = useMemo(
    () => columns([averaged(plain.steps, 'loss'), averaged(iat.steps, 'au')]),
    [plain.steps, iat.steps],
  )
  const id = useMemo(() => columns([averaged(iat.steps, 'id')]), [iat.steps])
  return (
    <div class="columns">
      <LineChart
        title={`AU training loss, mean of ${AVERAGED} steps (lower is better)`}
        x="step"
        y="cross-entropy"
        series={[
          { label: 'λ = 0', tone: '--tone-plain' },
          { label: lambda, tone: '--tone-iat' },
        ]}
        data={au}
      />
      <LineChart
        title={`Identity loss, ${lambda}, mean of ${AVERAGED} steps`}
        x="step"
        y="cross-entropy"
        series={[{ label: lambda, tone: '--tone-iat' }]}
        data={id}
      />
    </div>
  )
}

type Curve = ReadonlyMap<number, number>

function averaged(steps: readonly StepPoint[], name: string): Curve {
  let sum = 0
  return new Map(
    steps.map(({ step, losses }, at) => {
      sum += losses[name] ?? 0
      if (at >= AVERAGED) sum -= steps[at - AVERAGED].losses[name] ?? 0
      return [step, sum / Math.min(at + 1, AVERAGED)]
    }),
  )
}

/** Curves over the steps that any of them has. */
function columns(curves: readonly Curve[]): (number | null)[][] {
  const steps = [...new Set(curves.flatMap((curve) => [...curve.keys()]))].sort((a, b) => a - b)
  return [steps, ...curves.map((curve) => steps.map((step) => curve.get(step) ?? null))]
}

function Readings({ pair: { status, plain, iat } }: { readonly pair: PairView }) {
  const speed = iat.speed ?? plain.speed
  return (
    <dl class="readings" data-state={status.state}>
      <Figure
        label="Step"
        value={String(Math.min(plain.status.step, iat.status.step))}
        unit={status.totalSteps ? `of ${status.totalSteps}` : ''}
      />
      <Figure label="Epochs" value={status.epochs ? String(status.epochs) : '–'} />
      <Figure label="Images per second" value={speed ? speed.imagesPerSecond.toFixed(0) : '–'} />
      <Figure
        label="Time per step"
        value={speed ? speed.millisecondsPerStep.toFixed(0) : '–'}
        unit={speed ? 'ms' : ''}
      />
      <Figure
        label="Device memory"
        value={speed ? (speed.deviceBytes / 2 ** 20).toFixed(1) : '–'}
        unit={speed ? 'MiB' : ''}
      />
    </dl>
  )
}

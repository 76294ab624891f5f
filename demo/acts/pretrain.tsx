import { useEffect, useMemo, useState } from 'preact/hooks'
import { useCommands } from '../parts/commands.js'
import { Choice, Figure, RunButtons, Slider } from '../parts/controls.js'
import { type JobView, useJob } from '../parts/jobState.js'
import { LineChart } from '../parts/lineChart.js'
import { Pixels } from '../parts/pixels.js'
import { type PretrainSettings, pretrainDefaultSettings, pretrainSettingsSchema } from '../protocol.js'
import { useStudio, useStudioEvents } from '../studioLink.js'

/** Act 1: a masked autoencoder learns the bundled faces, live. */
export function Pretrain() {
  const { studio } = useStudio()
  const job = useJob('pretrain')
  const [settings, setSettings] = useState(pretrainDefaultSettings)
  const { busy, problem, run } = useCommands()
  useEffect(() => {
    const read = pretrainSettingsSchema.safeParse(job.settings)
    if (read.success) setSettings(read.data)
  }, [job.settings])
  return (
    <div class="act">
      <div class="intro">
        <h2>Pretrain: hide most of a face, learn to fill it in</h2>
        <p>
          The network sees a quarter of each picture and learns to draw the rest. Below are people whom it
          never trains on. Nobody tells it what a mouth is.
        </p>
      </div>
      <div class="panel controls">
        <RunButtons
          status={job.status}
          busy={busy}
          start={() => run(() => studio.pretrain.begin(settings))}
          pause={() => run(() => studio.pretrain.pause())}
          step={() => run(() => studio.pretrain.advance(1, settings))}
          reset={() => run(() => studio.pretrain.reset())}
        />
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <Loading />
        <SettingsForm settings={settings} fixed={job.status.state !== 'empty'} change={setSettings} />
      </div>
      <div class="views">
        <Faces job={job} />
        <Curve job={job} />
        <Readings job={job} />
      </div>
    </div>
  )
}

/** The faces come from the page's own folder, the first time they are needed. */
function Loading() {
  const [share, setShare] = useState<number | null>(null)
  useStudioEvents((event) => {
    if (event.type === 'loading') setShare(event.share)
  })
  if (share === null || share === 1) return null
  return (
    <label class="loading">
      Fetching faces <progress value={share} />
    </label>
  )
}

interface FormProps {
  readonly settings: PretrainSettings
  /** A run that has begun keeps its sizes. */
  readonly fixed: boolean
  readonly change: (settings: PretrainSettings) => void
}

function SettingsForm({ settings, fixed, change }: FormProps) {
  const set = (part: Partial<PretrainSettings>) => change({ ...settings, ...part })
  const patch = (value: number) => set({ patchSize: value as PretrainSettings['patchSize'] })
  return (
    <fieldset disabled={fixed}>
      <legend>{fixed ? 'Settings (reset to change them)' : 'Settings'}</legend>
      <Slider
        label="Hidden share of a face"
        value={settings.maskRatio}
        min={0.25}
        max={0.9}
        step={0.05}
        text={(value) => `${Math.round(100 * value)} %`}
        change={(maskRatio) => set({ maskRatio })}
      />
      <Choice label="Patch size, px" value={settings.patchSize} among={[8, 16, 32]} change={patch} />
      <Choice
        label="Width"
        value={settings.width}
        among={[32, 64, 96, 128, 192]}
        change={(width) => set({ width })}
      />
      <Choice
        label="Depth, blocks"
        value={settings.depth}
        among={[1, 2, 4, 6, 8]}
        change={(depth) => set({ depth })}
      />
      <Choice
        label="Batch"
        value={settings.batchSize}
        among={[16, 32, 64, 128]}
        change={(batchSize) => set({ batchSize })}
      />
      <Slider
        label="Learning rate"
        value={Math.log10(settings.baseLearningRate)}
        min={-4}
        max={-1.5}
        step={0.1}
        text={(value) => (10 ** value).toPrecision(2)}
        change={(value) => set({ baseLearningRate: 10 ** value })}
      />
      <Choice
        label="Epochs"
        value={settings.epochs}
        among={[2, 4, 8, 16, 32]}
        change={(epochs) => set({ epochs })}
      />
    </fieldset>
  )
}

const rows = [
  { key: 'original', title: 'Original' },
  { key: 'masked', title: 'What it sees' },
  { key: 'reconstruction', title: 'Its guess' },
] as const

function Faces({ job: { reconstructions } }: { readonly job: JobView }) {
  return (
    <figure class="faces">
      <figcaption>
        People it never trains on{reconstructions ? `, after step ${reconstructions.step}` : ''}
      </figcaption>
      {reconstructions ? (
        rows.map(({ key, title }) => (
          <div class="face-row" key={key}>
            <p>{title}</p>
            {reconstructions.samples.map((sample, person) => (
              <Pixels
                key={person}
                rgb={sample[key]}
                size={reconstructions.size}
                label={`${title}, person ${person + 1}`}
              />
            ))}
          </div>
        ))
      ) : (
        <p class="placeholder">Faces appear here after the first steps.</p>
      )}
    </figure>
  )
}

function Curve({ job: { steps } }: { readonly job: JobView }) {
  const data = useMemo(
    () => [steps.map(({ step }) => step), steps.map(({ losses }) => losses.loss ?? null)],
    [steps],
  )
  return (
    <LineChart
      title="Loss on the hidden patches"
      x="step"
      y="mean square error"
      series={[{ label: 'loss', tone: '--tone-training' }]}
      data={data}
    />
  )
}

function Readings({ job: { status, speed, steps } }: { readonly job: JobView }) {
  const loss = steps.at(-1)?.losses.loss
  return (
    <dl class="readings" data-state={status.state}>
      <Figure
        label="Step"
        value={String(status.step)}
        unit={status.totalSteps ? `of ${status.totalSteps}` : ''}
      />
      <Figure label="Loss" value={loss?.toFixed(4) ?? '–'} />
      <Figure label="Pictures a second" value={speed ? speed.imagesPerSecond.toFixed(0) : '–'} />
      <Figure
        label="Time of a step"
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

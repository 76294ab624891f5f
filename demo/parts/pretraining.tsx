import { useMemo } from 'preact/hooks'
import { helpOf, pretrainSettings } from '../../src/train/settings.js'
import type { PretrainSettings } from '../protocol.js'
import { Choice, Figure, LearningRate, Settings, Slider } from './controls.js'
import { LineChart } from './lineChart.js'
import { Pixels } from './pixels.js'
import type { RunView } from './runState.js'

const help = (name: keyof typeof pretrainSettings.shape) => helpOf(pretrainSettings, name)

interface FormProps {
  readonly settings: PretrainSettings
  /** A run that has begun keeps its sizes. */
  readonly fixed: boolean
  readonly batches: readonly number[]
  readonly epochs: readonly number[]
  readonly change: (settings: PretrainSettings) => void
}

/** All that can be set for pretraining. */
export function PretrainForm({ settings, fixed, batches, epochs, change }: FormProps) {
  const set = (part: Partial<PretrainSettings>) => change({ ...settings, ...part })
  const patch = (value: number) => set({ patchSize: value as PretrainSettings['patchSize'] })
  return (
    <Settings fixed={fixed}>
      <Slider
        label="Mask ratio"
        help={help('maskRatio')}
        value={settings.maskRatio}
        min={0.25}
        max={0.9}
        step={0.05}
        text={(value) => `${Math.round(100 * value)}%`}
        change={(maskRatio) => set({ maskRatio })}
      />
      <Choice
        label="Patch size (px)"
        help={help('patchSize')}
        value={settings.patchSize}
        among={[8, 16, 32]}
        change={patch}
      />
      <Choice
        label="Width"
        help={help('width')}
        value={settings.width}
        among={[32, 64, 96, 128, 192]}
        change={(width) => set({ width })}
      />
      <Choice
        label="Depth (blocks)"
        help={help('depth')}
        value={settings.depth}
        among={[1, 2, 4, 6, 8]}
        change={(depth) => set({ depth })}
      />
      <Choice
        label="Batch size"
        help={help('batchSize')}
        value={settings.batchSize}
        among={batches}
        change={(batchSize) => set({ batchSize })}
      />
      <LearningRate
        help={help('baseLearningRate')}
        value={settings.baseLearningRate}
        min={-4}
        max={-1.5}
        change={(baseLearningRate) => set({ baseLearningRate })}
      />
      <Choice
        label="Epochs"
        help={help('epochs')}
        value={settings.epochs}
        among={epochs}
        change={(number) => set({ epochs: number })}
      />
    </Settings>
  )
}

const rows = [
  { key: 'original', title: 'Original' },
  { key: 'masked', title: 'Masked input' },
  { key: 'reconstruction', title: 'Reconstruction' },
] as const

interface RunProps {
  readonly run: RunView
}

/** Held-out images, masked and reconstructed. `title` says which. */
export function Reconstructions({ title, run: { reconstructions } }: RunProps & { readonly title: string }) {
  return (
    <figure class="faces">
      <figcaption>
        {title}
        {reconstructions ? ` at step ${reconstructions.step}` : ''}
      </figcaption>
      {reconstructions ? (
        rows.map(({ key, title }) => (
          <div class="face-row" key={key}>
            <p>{title}</p>
            {reconstructions.samples.map((sample, subject) => (
              <Pixels
                key={subject}
                rgb={sample[key]}
                size={reconstructions.size}
                label={`${title}, image ${subject + 1}`}
              />
            ))}
          </div>
        ))
      ) : (
        <p class="placeholder">Reconstructions appear here after the first steps.</p>
      )}
    </figure>
  )
}

export function PretrainCurve({ run: { steps } }: RunProps) {
  const data = useMemo(
    () => [steps.map(({ step }) => step), steps.map(({ losses }) => losses.loss ?? null)],
    [steps],
  )
  return (
    <LineChart
      title="Training loss on masked patches (lower is better)"
      x="step"
      y="mean squared error"
      series={[{ label: 'loss', tone: '--tone-training' }]}
      data={data}
    />
  )
}

/** Where a run stands, and how fast it is. */
export function Readings({ run: { status, speed, steps } }: RunProps) {
  const loss = steps.at(-1)?.losses.loss
  return (
    <dl class="readings" data-state={status.state}>
      <Figure
        label="Step"
        value={String(status.step)}
        unit={status.totalSteps ? `of ${status.totalSteps}` : ''}
      />
      <Figure label="Loss" value={loss?.toFixed(4) ?? '–'} />
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

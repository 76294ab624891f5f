import { useMemo } from 'preact/hooks'
import { Figure } from './controls.js'
import { LineChart } from './lineChart.js'
import { Pixels } from './pixels.js'
import type { RunView } from './runState.js'

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

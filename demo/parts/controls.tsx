import type { ComponentChildren } from 'preact'
import type { RunStatus } from '../protocol.js'

interface SliderProps {
  readonly label: string
  /** A sentence shown while the pointer rests on the control. */
  readonly help: string
  readonly value: number
  readonly min: number
  readonly max: number
  readonly step: number
  readonly disabled?: boolean
  readonly text?: (value: number) => string
  readonly change: (value: number) => void
}

export function Slider({
  label,
  help,
  value,
  min,
  max,
  step,
  disabled = false,
  text = String,
  change,
}: SliderProps) {
  return (
    <label class="setting" title={help}>
      <span>{label}</span>
      {/* Before the output, which the label would name instead. */}
      <input
        type="range"
        value={value}
        min={min}
        max={max}
        step={step}
        disabled={disabled}
        aria-valuetext={text(value)}
        onInput={(event) => change(event.currentTarget.valueAsNumber)}
      />
      <output>{text(value)}</output>
    </label>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly help: string
  readonly value: number
  readonly among: readonly number[]
  readonly disabled?: boolean
  readonly change: (value: number) => void
}

export function Choice({ label, help, value, among, disabled = false, change }: ChoiceProps) {
  return (
    <label class="setting" title={help}>
      <span>{label}</span>
      <select
        value={value}
        disabled={disabled}
        onChange={(event) => change(Number(event.currentTarget.value))}
      >
        {among.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  )
}

interface SettingsProps {
  /** A run that has begun keeps its settings. */
  readonly fixed: boolean
  readonly children: ComponentChildren
}

export function Settings({ fixed, children }: SettingsProps) {
  return (
    <fieldset disabled={fixed}>
      <legend>{fixed ? 'Settings (reset to change)' : 'Settings'}</legend>
      {children}
    </fieldset>
  )
}

interface LearningRateProps {
  readonly help: string
  readonly value: number
  /** Powers of ten at the ends. */
  readonly min: number
  readonly max: number
  readonly change: (value: number) => void
}

/** A slider whose steps are factors. */
export function LearningRate({ help, value, min, max, change }: LearningRateProps) {
  return (
    <Slider
      label="Base learning rate"
      help={help}
      value={Math.log10(value)}
      min={min}
      max={max}
      step={0.1}
      text={(power) => (10 ** power).toPrecision(2)}
      change={(power) => change(10 ** power)}
    />
  )
}

interface RunButtonsProps {
  readonly status: RunStatus
  /** While a command is on its way. */
  readonly busy: boolean
  readonly start: () => void
  readonly pause: () => void
  readonly step: () => void
  readonly reset: () => void
}

/** Start or pause, one step, reset. */
export function RunButtons({ status, busy, start, pause, step, reset }: RunButtonsProps) {
  const { state } = status
  return (
    <div class="buttons">
      {state === 'running' ? (
        <button type="button" class="primary" disabled={busy} onClick={pause}>
          Pause
        </button>
      ) : (
        <button type="button" class="primary" disabled={busy || state === 'finished'} onClick={start}>
          {state === 'empty' ? 'Start' : state === 'finished' ? 'Finished' : 'Resume'}
        </button>
      )}
      <button type="button" disabled={busy || state === 'running' || state === 'finished'} onClick={step}>
        One step
      </button>
      <button type="button" disabled={busy || state === 'empty'} onClick={reset}>
        Reset
      </button>
    </div>
  )
}

/** A number and what it is. */
export function Figure({
  label,
  value,
  unit = '',
}: {
  readonly label: string
  readonly value: string
  readonly unit?: string
}) {
  return (
    <div class="figure">
      <dt>{label}</dt>
      <dd>
        {value}
        {unit && <small> {unit}</small>}
      </dd>
    </div>
  )
}

import { auName } from '../../src/data/actionUnits.js'

interface Props {
  readonly aus: readonly number[]
  /** One for each AU, 0 … 1; null while there is no image. */
  readonly probabilities: ArrayLike<number> | null
}

/** One bar per action unit. */
export function AuBars({ aus, probabilities }: Props) {
  return (
    <ul class="au-bars">
      {aus.map((au, i) => (
        <AuBar key={au} au={au} probability={probabilities?.[i] ?? null} />
      ))}
    </ul>
  )
}

function AuBar({ au, probability }: { readonly au: number; readonly probability: number | null }) {
  const value = probability ?? 0
  return (
    <li data-au={au} data-probability={probability ?? ''}>
      <span class="au-number">AU {au}</span>
      <span class="au-name">{auName(au)}</span>
      <meter class="visually-hidden" min={0} max={1} value={value} aria-label={`AU ${au} ${auName(au)}`} />
      <span class="au-track" aria-hidden="true">
        <span class={value >= 0.5 ? 'au-fill on' : 'au-fill'} style={{ transform: `scaleX(${value})` }} />
      </span>
      <span class="au-value">{probability === null ? '–' : probability.toFixed(2)}</span>
    </li>
  )
}

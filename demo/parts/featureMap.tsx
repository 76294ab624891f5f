import { neighbourShare } from '../../src/train/report/scatter.js'

interface Props {
  readonly title: string
  /** Places within the unit circle, and the person of each. */
  readonly points: readonly (readonly [number, number])[]
  readonly people: readonly number[]
  /** So many people, the first ones, are trained on. */
  readonly known: number
}

/** Half the side of the drawing; the unit circle has 100. */
const HALF = 106
const HUES = 6

/** Pictures laid out by their features: a colour for each person, circles for those who are trained on, triangles for the others. */
export function FeatureMap({ title, points, people, known }: Props) {
  const share = neighbourShare({ points: points.map(([x, y]) => [x, y]), subjects: people.map(String) })
  const text = `${Math.round(100 * share)} % of the pictures lie next to one of the same person`
  return (
    <figure class="feature-map">
      <figcaption>{title}</figcaption>
      <svg
        viewBox={`${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`}
        role="img"
        aria-label={`${title}: map of ${points.length} pictures; ${text}.`}
      >
        {points.map(([x, y], at) => {
          const person = people[at]!
          const style = { transform: `translate(${(100 * x).toFixed(2)}px, ${(100 * y).toFixed(2)}px)` }
          const kind = `mark person-${person % HUES}`
          return person < known ? (
            <circle key={at} class={kind} style={style} r="2.6" />
          ) : (
            <path key={at} class={kind} style={style} d="M0-3.2 2.9 2-2.9 2z" />
          )
        })}
      </svg>
      <p class="hint">{text}.</p>
    </figure>
  )
}

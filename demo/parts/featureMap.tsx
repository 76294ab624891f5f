import { useState } from 'preact/hooks'
import type { FeatureMaps as Maps } from '../protocol.js'

/** Half the side of the drawing; the unit circle has 100. */
const HALF = 106

interface Props {
  readonly maps: Maps
  /** Name of the classifier with gradient reversal. */
  readonly lambda: string
}

/** The maps of both classifiers, in which one subject at a time can be highlighted. */
export function FeatureMaps({ maps, lambda }: Props) {
  const [chosen, setChosen] = useState<number | null>(null)
  const subjects = Math.max(...maps.subjects) + 1
  return (
    <>
      <div class="maps">
        <FeatureMap
          title="λ = 0"
          points={maps.plain}
          nearest={maps.nearest.plain}
          maps={maps}
          chosen={chosen}
        />
        <FeatureMap title={lambda} points={maps.iat} nearest={maps.nearest.iat} maps={maps} chosen={chosen} />
      </div>
      <fieldset class="subjects">
        <legend>Highlight a subject</legend>
        {Array.from({ length: subjects }, (_, subject) => (
          <button
            key={subject}
            type="button"
            aria-label={`Subject ${subject + 1}, ${subject < maps.known ? 'training' : 'held out'}`}
            aria-pressed={subject === chosen}
            onClick={() => setChosen(subject === chosen ? null : subject)}
          >
            <svg viewBox="-5 -5 10 10" aria-hidden="true">
              <Mark subject={subject} known={maps.known} />
            </svg>
          </button>
        ))}
      </fieldset>
    </>
  )
}

interface MapProps {
  readonly title: string
  /** Places within the unit circle. */
  readonly points: readonly (readonly [number, number])[]
  /** Share of images whose nearest neighbor is of the same subject. */
  readonly nearest: number
  readonly maps: Maps
  readonly chosen: number | null
}

function FeatureMap({ title, points, nearest, maps, chosen }: MapProps) {
  const text = `For ${Math.round(100 * nearest)}% of the images, the nearest neighbor in the features shows the same subject`
  return (
    <figure class="feature-map">
      <figcaption>{title}</figcaption>
      <svg
        viewBox={`${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`}
        role="img"
        aria-label={`${title}: map of ${points.length} images. ${text}.`}
      >
        {points.map(([x, y], at) => {
          const subject = maps.subjects[at]
          const transform = `translate(${(100 * x).toFixed(2)}px, ${(100 * y).toFixed(2)}px)`
          return (
            <g
              key={at}
              class={chosen === null || chosen === subject ? 'mark' : 'mark faint'}
              style={{ transform }}
            >
              <Mark subject={subject} known={maps.known} />
            </g>
          )
        })}
      </svg>
      <p class="hint">{text}.</p>
    </figure>
  )
}

/** A color for each subject; circles for training subjects, triangles for held-out ones. */
function Mark({ subject, known }: { readonly subject: number; readonly known: number }) {
  const tone = `subject-${subject % known}`
  return subject < known ? <circle class={tone} r="2.6" /> : <path class={tone} d="M0-3.2 2.9 2-2.9 2z" />
}

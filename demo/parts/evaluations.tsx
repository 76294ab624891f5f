import { useMemo } from 'preact/hooks'
import type { ClassifierScores, EvaluationFacts, PairEvaluation } from '../protocol.js'
import { LineChart } from './lineChart.js'

interface Props {
  readonly evaluations: {
    readonly facts: EvaluationFacts
    readonly evaluations: readonly PairEvaluation[]
  } | null
  /** Name of the classifier with gradient reversal. */
  readonly lambda: string
}

interface Row {
  readonly title: string
  readonly better: 'higher' | 'lower'
  readonly value: (scores: ClassifierScores) => string
  /** Said beside the value. */
  readonly aside?: (scores: ClassifierScores) => string
}

const rows: readonly Row[] = [
  { title: 'AU F1 at threshold 0.5', better: 'higher', value: ({ f1At05 }) => f1At05.toFixed(3) },
  {
    title: 'AU F1 at the best threshold',
    better: 'higher',
    value: ({ f1Best }) => f1Best.toFixed(3),
    aside: ({ threshold }) => `at ${threshold.toFixed(2)}`,
  },
  {
    title: 'AU AUC (area under the ROC curve)',
    better: 'higher',
    value: ({ auc }) => auc?.toFixed(3) ?? '–',
  },
  { title: 'Identity probe accuracy', better: 'lower', value: ({ probe }) => percent(probe) },
]

/** The last evaluation of both, side by side. */
export function EvaluationTable({ evaluations, lambda }: Props) {
  const last = evaluations?.evaluations.at(-1)
  if (!evaluations || !last) return null
  const { facts } = evaluations
  return (
    <section class="evaluation">
      <h3>Scores at step {last.step}</h3>
      <table aria-label={`Scores at step ${last.step}`}>
        <thead>
          <tr>
            <td />
            <th scope="col" class="plain">
              λ = 0
            </th>
            <th scope="col" class="iat">
              {lambda}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ title, better, value, aside }) => (
            <tr key={title}>
              <th scope="row">
                {title} <small>{better} is better</small>
              </th>
              {[last.plain, last.iat].map((scores, column) => (
                <td key={column}>
                  {value(scores)} {aside && <small>{aside(scores)}</small>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">
        F1 and AUC are means over the AUs, on {facts.unseenImages} images of {facts.unseenSubjects} held-out
        subjects. The best threshold is chosen on these same images, so its F1 is optimistic. The identity
        probe is a softmax regression that predicts the subject from the features. It uses {facts.probeImages}{' '}
        images of {facts.probeSubjects} subjects, half of them training subjects. It is fitted on 70% of the
        images and tested on the others; the score is the mean of three splits. Chance is{' '}
        {percent(facts.chance)}. The true AU labels alone reach {percent(facts.labelsOnly)}, because subjects
        differ in their expressions. Differences below 0.02 or 3 percentage points may be noise.
      </p>
    </section>
  )
}

/** All evaluations so far. */
export function EvaluationCharts({ evaluations, lambda }: Props) {
  const both = [
    { label: 'λ = 0', tone: '--tone-plain' },
    { label: lambda, tone: '--tone-iat' },
  ]
  const data = useMemo(() => columnsOf(evaluations), [evaluations])
  return (
    <section>
      <div class="columns">
        <LineChart
          title="Identity probe (lower is better)"
          x="step"
          y="accuracy"
          series={[
            ...both,
            { label: 'true AU labels', tone: '--soft', dash: [6, 4] },
            { label: 'chance', tone: '--soft', dash: [2, 4] },
          ]}
          data={data.probe}
          dots
        />
        <LineChart
          title="AU AUC (higher is better)"
          x="step"
          y="mean AUC"
          series={both}
          data={data.auc}
          dots
        />
        <LineChart
          title="AU F1 at threshold 0.5 (higher is better)"
          x="step"
          y="mean F1"
          series={both}
          data={data.f1At05}
          dots
        />
        <LineChart
          title="AU F1 at the best threshold (higher is better)"
          x="step"
          y="mean F1"
          series={both}
          data={data.f1Best}
          dots
        />
      </div>
      {evaluations && (
        <p class="hint">
          Scores are on held-out subjects. Early in training, most probabilities are below 0.5, so F1 at 0.5
          is low. Marking every AU as present gives an F1 of {evaluations.facts.alwaysPresentF1.toFixed(2)}.
          AUC shows progress first; chance is 0.5.
        </p>
      )}
    </section>
  )
}

function columnsOf(told: Props['evaluations']) {
  const evaluations = told?.evaluations ?? []
  const steps = evaluations.map(({ step }) => step)
  const both = (value: (scores: ClassifierScores) => number | null) => [
    steps,
    evaluations.map(({ plain }) => value(plain)),
    evaluations.map(({ iat }) => value(iat)),
  ]
  const floor = (value: number | undefined) => evaluations.map(() => value ?? null)
  return {
    probe: [...both(({ probe }) => probe), floor(told?.facts.labelsOnly), floor(told?.facts.chance)],
    auc: both(({ auc }) => auc),
    f1At05: both(({ f1At05 }) => f1At05),
    f1Best: both(({ f1Best }) => f1Best),
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`
}

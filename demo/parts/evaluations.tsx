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
  readonly value: (scores: ClassifierScores) => string
  /** Said beside the value. */
  readonly aside?: (scores: ClassifierScores) => string
}

const rows: readonly Row[] = [
  { title: 'AUs: F1 at threshold 0.5', value: ({ f1At05 }) => f1At05.toFixed(3) },
  {
    title: 'AUs: F1 at the best threshold',
    value: ({ f1Best }) => f1Best.toFixed(3),
    aside: ({ threshold }) => `at ${threshold.toFixed(2)}`,
  },
  { title: 'AUs: area under the ROC curve', value: ({ auc }) => auc?.toFixed(3) ?? '–' },
  { title: 'Person named by the identity probe', value: ({ probe }) => percent(probe) },
]

/** The last evaluation of both, side by side. */
export function EvaluationTable({ evaluations, lambda }: Props) {
  const last = evaluations?.evaluations.at(-1)
  if (!evaluations || !last) return null
  const { facts } = evaluations
  return (
    <section class="evaluation">
      <h3>What they know after step {last.step}</h3>
      <table aria-label={`Scores after step ${last.step}`}>
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
          {rows.map(({ title, value, aside }) => (
            <tr key={title}>
              <th scope="row">{title}</th>
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
        AUs: {facts.unseenImages} pictures of {facts.unseenSubjects} people whom neither trains on; the best
        threshold is chosen on these very pictures. Probe: a softmax regression on the features of{' '}
        {facts.probeImages} pictures of {facts.probeSubjects} people, half of whom they train on. It is fitted
        to convergence on 70 % and names the person in the rest; mean of three such splits. Guessing names{' '}
        {percent(facts.chance)}, the true AU labels alone {percent(facts.labelsOnly)}: people have their
        habits. With so few pictures a difference of 0.02, or of 3 %, may be chance.
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
          title="Identity probe: who is it?"
          x="step"
          y="pictures named rightly"
          series={[
            ...both,
            { label: 'AU labels alone', tone: '--soft', dash: [6, 4] },
            { label: 'guessing', tone: '--soft', dash: [2, 4] },
          ]}
          data={data.probe}
          dots
        />
        <LineChart
          title="AUs of new people: ranking"
          x="step"
          y="area under the ROC curve"
          series={both}
          data={data.auc}
          dots
        />
        <LineChart
          title="AUs of new people: F1 at 0.5"
          x="step"
          y="mean F1 of 12 AUs"
          series={both}
          data={data.f1At05}
          dots
        />
        <LineChart
          title="AUs of new people: F1 at the best threshold"
          x="step"
          y="mean F1 of 12 AUs"
          series={both}
          data={data.f1Best}
          dots
        />
      </div>
      {evaluations && (
        <p class="hint">
          F1 at 0.5 stays low while a network is hesitant, and calling every unit present already gives{' '}
          {evaluations.facts.alwaysPresentF1.toFixed(2)}. The ranking shows first that something is learnt;
          guessing gives 0.5.
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
  return `${(100 * share).toFixed(1)} %`
}

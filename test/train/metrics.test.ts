import fc from 'fast-check'
import t from 'tap'
import { splitPerSubject } from '../../src/data/folds.js'
import { PhiloxStream } from '../../src/engine/random.js'
import {
  actionUnitMetrics,
  bceLoss,
  bestThreshold,
  binaryEntropy,
  f1Scores,
  rocAuc,
} from '../../src/train/metrics/actionUnitMetrics.js'
import {
  identityProbe,
  type ProbeData,
  publishedIdentityProbe,
} from '../../src/train/metrics/identityProbe.js'
import { probeSubjects } from '../../src/train/metrics/probeSubjects.js'
import { fitSoftmaxRegression } from '../../src/train/metrics/softmaxRegression.js'
import { noiseSet } from './noiseImages.js'

const scored = fc.array(fc.tuple(fc.integer({ min: -5, max: 5 }), fc.constantFrom(0, 1)), { maxLength: 40 })

t.test('logits and targets must be whole rows, as many of each', async (t) => {
  const wrong: [number[], number[], number][] = [
    [[0, 1, 2], [0, 1, 1, 0], 1],
    [[0, 1, 2, 4, 5, 6], [0, 1, 1, 0], 1],
    [[0, 1, 2, 1], [0, 1, 1, 0], 3],
    [[], [], 0],
  ]
  for (const [logits, targets, columns] of wrong)
    t.throws(() => actionUnitMetrics(logits, targets, columns), {
      name: 'RangeError',
      message: /^actionUnitMetrics: \d+ logits and \d+ targets; expected as many of each, in rows of \d+$/,
    })
})

t.test('AUC is the share of positive–negative pairs in the right order, ties half', async (t) => {
  fc.assert(
    fc.property(scored, (rows) => {
      const of = (label: number) => rows.filter(([, target]) => target === label).map(([score]) => score)
      const pairs = of(1).flatMap((positive) =>
        of(0).map((negative) => Math.sign(positive - negative) / 2 + 0.5),
      )
      const expected = pairs.length > 0 ? pairs.reduce((sum, win) => sum + win, 0) / pairs.length : null
      const got = rocAuc(
        rows.map(([score]) => score),
        rows.map(([, target]) => target),
      )
      if (expected === null) t.equal(got, null)
      else t.ok(Math.abs((got ?? -1) - expected) < 1e-12)
    }),
  )
})

t.test('F1 counts a probability at the threshold as positive, and is 0 where undefined', async (t) => {
  const probabilities = [0.5, 0.1, 0.2, 0.9, 0.1, 0.2, 0.4, 0.1, 0.2]
  const targets = [1, 0, 1, 0, 0, 0, 1, 0, 0]
  t.same(f1Scores(probabilities, targets, 3, 0.5), [0.5, 0, 0])
  t.same(f1Scores(probabilities, targets, 3, 0.2), [0.8, 0, 0.5])
})

t.test('the best threshold is one for all units, the lowest of equals', async (t) => {
  const probabilities = [0.8, 0.1, 0.3, 0.6, 0.2, 0.3]
  const targets = [1, 0, 0, 1, 0, 0]
  const { threshold, f1, perAu } = bestThreshold(probabilities, targets, 2)
  t.same([threshold, f1, perAu], [0.31, 1, [1, 1]])
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(100), fc.nat(1)), { minLength: 1, maxLength: 20 }), (rows) => {
      const p = rows.map(([percent]) => percent / 100)
      const y = rows.map(([, target]) => target)
      const best = bestThreshold(p, y, 1)
      for (let percent = 1; percent < 100; percent++) t.ok(f1Scores(p, y, 1, percent / 100)[0] <= best.f1)
    }),
    { numRuns: 30 },
  )
})

t.test(
  'one call gives all metrics; a unit with one class has no AUC and does not count in its mean',
  async (t) => {
    const metrics = actionUnitMetrics([2, -1, 1, -2, -3, -1, -1, -2], [1, 0, 1, 0, 0, 0, 0, 0], 2)
    t.match(metrics, { f1At05: 0.5, f1PerAu: [1, 0], auc: 1, aucPerAu: [1, null], f1Best: 0.5 })
    t.ok(Math.abs(metrics.baseRateEntropy - Math.LN2 / 2) < 1e-12)
    t.equal(actionUnitMetrics([1], [1], 1).auc, null)
  },
)

t.test('losses are stable and in nats', async (t) => {
  t.ok(Math.abs(bceLoss([0, 0], [0, 1]) - Math.LN2) < 1e-12)
  t.ok(Math.abs(bceLoss([1000, -1000], [0, 1]) - 1000) < 1e-9)
  t.ok(Math.abs(binaryEntropy(1 / 41) - 0.115) < 1e-3)
  t.equal(binaryEntropy(1), 0)
})

/** People as clouds in feature space; `spread` is the distance of their centres, in units of the noise. */
function makeSubjects(spread: number, scale = 1): ProbeData {
  const [classes, width, images] = [8, 6, 20]
  const stream = new PhiloxStream(1, 1)
  const centres = Array.from({ length: classes * width }, () => spread * stream.normal())
  const rows = Array.from({ length: classes * images }, (_, row) => row)
  return {
    features: rows.flatMap((row) =>
      Array.from(
        { length: width },
        (_, d) => scale * (centres[(row % classes) * width + d] + stream.normal()) + 3,
      ),
    ),
    width,
    subjects: rows.map((row) => row % classes),
    classes,
    train: rows.filter((row) => row < classes * 14),
    test: rows.filter((row) => row >= classes * 14),
  }
}

t.test(
  'the converged probe tells apart who can be told apart, whatever the scale of the features',
  async (t) => {
    t.equal(identityProbe(makeSubjects(10)), 1)
    t.equal(identityProbe(makeSubjects(10, 1e-3)), 1)
    t.ok(identityProbe(makeSubjects(0)) < 0.3)
    const probe = makeSubjects(1)
    const pairs = { ...probe, width: 1, features: Array.from(probe.subjects, (subject) => subject % 2) }
    t.equal(identityProbe(pairs), 0.25, 'two groups of four people')
  },
)

t.test('a constant feature does no harm', async (t) => {
  const probe = makeSubjects(10)
  const features = Array.from(probe.features, (value, at) => (at % probe.width === 2 ? 7 : value))
  t.equal(identityProbe({ ...probe, features }), 1)
})

t.test('softmax regression ends where its gradient vanishes', async (t) => {
  const [rows, classes] = [30, 3]
  const stream = new PhiloxStream(2, 1)
  const x = Float64Array.from({ length: rows * 3 }, (_, at) => (at % 3 === 2 ? 1 : stream.normal()))
  const labels = Array.from({ length: rows }, () => stream.integer(classes))
  const l2 = 0.05
  const weights = fitSoftmaxRegression({ x, rows, width: 3 }, labels, classes, l2)
  const gradient = weights.map((weight, at) => (at < 2 * classes ? l2 * weight : 0))
  for (let row = 0; row < rows; row++) {
    const features = x.subarray(row * 3, row * 3 + 3)
    const scores = [0, 1, 2].map((c) =>
      Math.exp(features.reduce((sum, v, d) => sum + v * weights[d * 3 + c], 0)),
    )
    const total = scores[0] + scores[1] + scores[2]
    for (let at = 0; at < 9; at++)
      gradient[at] +=
        (features[Math.floor(at / 3)] * (scores[at % 3] / total - (labels[row] === at % 3 ? 1 : 0))) / rows
  }
  t.ok(Math.max(...gradient.map(Math.abs)) < 1e-3)
})

t.test('the published probe stops far from convergence and repeats with its seed', async (t) => {
  const found = publishedIdentityProbe(makeSubjects(10), 0)
  t.ok(found > 0.4 && found < identityProbe(makeSubjects(10)))
  t.equal(publishedIdentityProbe(makeSubjects(2), 3), publishedIdentityProbe(makeSubjects(2), 3))
})

/** So many pictures of each person, in turn. */
function imagesOf(counts: Readonly<Record<string, number>>) {
  const subjects = Object.entries(counts)
    .flatMap(([name, count]) => Array.from({ length: count }, (_, at) => ({ name, at })))
    .sort((a, b) => a.at - b.at)
    .map(({ name }) => name)
  const sample = (i: number) => ({ ...noiseSet.sample(i), subject: subjects[i] })
  return { set: { ...noiseSet, length: subjects.length, sample }, subjects }
}

t.test(
  'a probe takes 100 pictures a person at most, 70 to fit and 30 to score, drawn by its seed',
  async (t) => {
    const { set, subjects } = imagesOf({ ann: 250, bob: 20, cy: 101 })
    const probe = probeSubjects(set, 3)
    const counts = (rows: readonly number[]) =>
      probe.subjects.map((name) => rows.filter((row) => subjects[probe.indices[row]] === name).length)
    t.same(
      [counts(probe.train), counts(probe.test)],
      [
        [70, 14, 70],
        [30, 6, 30],
      ],
    )
    t.equal(new Set(probe.indices).size, 220)
    t.same(probeSubjects(set, 3), probe)
    t.notSame(probeSubjects(set, 4).indices, probe.indices)
    const last = probe.indices.filter((index) => subjects[index] === 'ann').at(-1)!
    t.ok(last > 200, 'not the first hundred')
  },
)

t.test('where nobody has more than 100 pictures, a probe takes them all', async (t) => {
  const { set, subjects } = imagesOf({ ann: 100, bob: 24 })
  const { indices, train } = probeSubjects(set, 3)
  const all = subjects.map((_, index) => index)
  t.same([...indices], all)
  t.same(train, [...splitPerSubject(set, all, 0.7, 3).first])
})

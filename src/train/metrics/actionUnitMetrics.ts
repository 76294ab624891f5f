/**
 * Action unit metrics over all images of a fold, in float64. Matrices are [N, A] row-major; a positive is a target
 * above 0.5.
 */

export interface ActionUnitMetrics {
  /** Mean F1 at threshold 0.5 and the F1 of each unit. */
  readonly f1At05: number
  readonly f1PerAu: readonly number[]
  /** F1 at the single threshold for all units that gives the highest mean F1 on these same images (optimistic). */
  readonly f1Best: number
  readonly threshold: number
  readonly f1BestPerAu: readonly number[]
  /** Mean ROC-AUC over the units that have both classes; null if none has. */
  readonly auc: number | null
  readonly aucPerAu: readonly (number | null)[]
  /** Binary cross-entropy, mean over images and units. */
  readonly loss: number
  /** The loss of always predicting each unit's base rate here: a model at this level has learned nothing. */
  readonly baseRateEntropy: number
}

/** All of them from logits and targets [N, columns]. @throws RangeError if these are not whole rows. */
export function actionUnitMetrics(
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  columns: number,
): ActionUnitMetrics {
  if (logits.length !== targets.length || !Number.isInteger(logits.length / columns))
    throw new RangeError(
      `actionUnitMetrics: ${logits.length} logits and ${targets.length} targets; expected as many of each, in rows of ${columns}`,
    )
  const probabilities = Float64Array.from(logits, sigmoid)
  const f1PerAu = f1Scores(probabilities, targets, columns, 0.5)
  const best = bestThreshold(probabilities, targets, columns)
  const aucPerAu = Array.from({ length: columns }, (_, unit) =>
    rocAuc(column(logits, columns, unit), column(targets, columns, unit)),
  )
  const defined = aucPerAu.filter((value) => value !== null)
  return {
    f1At05: mean(f1PerAu),
    f1PerAu,
    f1Best: best.f1,
    threshold: best.threshold,
    f1BestPerAu: best.perAu,
    auc: defined.length > 0 ? mean(defined) : null,
    aucPerAu,
    loss: bceLoss(logits, targets),
    baseRateEntropy: baseRateEntropy(targets, columns),
  }
}

export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function column(matrix: ArrayLike<number>, columns: number, at: number): Float64Array {
  return Float64Array.from({ length: matrix.length / columns }, (_, row) => matrix[row * columns + at])
}

/** F1 of the positive class of each unit: 2TP / (2TP + FP + FN), 0 where that is undefined. Positive if p ≥ threshold. */
export function f1Scores(
  probabilities: ArrayLike<number>,
  targets: ArrayLike<number>,
  columns: number,
  threshold: number,
): number[] {
  const both = new Float64Array(columns)
  const either = new Float64Array(columns)
  for (let at = 0, unit = 0; at < targets.length; at++, unit = unit + 1 === columns ? 0 : unit + 1) {
    const predicted = probabilities[at] >= threshold ? 1 : 0
    const actual = targets[at] > 0.5 ? 1 : 0
    both[unit] += predicted & actual
    either[unit] += predicted + actual
  }
  return Array.from(both, (hits, unit) => (either[unit] === 0 ? 0 : (2 * hits) / either[unit]))
}

/** The single threshold among 0.01 … 0.99 with the highest mean F1; the lowest of equals. */
export function bestThreshold(
  probabilities: ArrayLike<number>,
  targets: ArrayLike<number>,
  columns: number,
): { threshold: number; f1: number; perAu: number[] } {
  let best = { threshold: 0.01, f1: -1, perAu: [] as number[] }
  for (let percent = 1; percent <= 99; percent++) {
    const perAu = f1Scores(probabilities, targets, columns, percent / 100)
    const f1 = mean(perAu)
    if (f1 > best.f1) best = { threshold: percent / 100, f1, perAu }
  }
  return best
}

/**
 * Area under the ROC curve: the probability that a positive scores above a negative, ties counting half, by the rank
 * sum of Mann & Whitney 1947 with midranks. Null if a class is missing.
 */
export function rocAuc(scores: ArrayLike<number>, targets: ArrayLike<number>): number | null {
  const order = Uint32Array.from(scores, (_, at) => at).sort((a, b) => scores[a] - scores[b])
  let positives = 0
  let rankSum = 0
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && scores[order[end]] === scores[order[start]]) end++
    const midrank = (start + 1 + end) / 2
    for (let at = start; at < end; at++)
      if (targets[order[at]] > 0.5) {
        positives++
        rankSum += midrank
      }
    start = end
  }
  const negatives = order.length - positives
  if (positives === 0 || negatives === 0) return null
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives)
}

/** Mean binary cross-entropy on logits: max(z, 0) − z·y + ln(1 + e^−|z|). */
export function bceLoss(logits: ArrayLike<number>, targets: ArrayLike<number>): number {
  let sum = 0
  for (let at = 0; at < targets.length; at++) {
    const logit = logits[at]
    sum += Math.max(logit, 0) - logit * targets[at] + Math.log1p(Math.exp(-Math.abs(logit)))
  }
  return sum / targets.length
}

/** Mean over units of −r·ln r − (1−r)·ln(1−r), r being the unit's fraction of positives in `targets`. */
export function baseRateEntropy(targets: ArrayLike<number>, columns: number): number {
  const rates = Array.from({ length: columns }, (_, unit) => mean([...column(targets, columns, unit)]))
  return mean(rates.map(binaryEntropy))
}

/** In nats; 0 at 0 and 1. At 1/S it is the best constant identity loss (BCE) for S subjects. */
export function binaryEntropy(rate: number): number {
  const term = (share: number) => (share > 0 ? -share * Math.log(share) : 0)
  return term(rate) + term(1 - rate)
}

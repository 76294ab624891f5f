import { cholesky, solveCholesky } from './cholesky.js'

/**
 * Multinomial logistic regression to convergence, in float64 on the host:
 *
 *   F(W) = mean over n of −ln softmax(x_n·W)[y_n]  +  (l2 / 2)·‖W without the bias row‖²
 *
 * F is convex, so its minimum is unique. It is minimized by L-BFGS (Liu & Nocedal 1989). The initial metric is the
 * Hessian at W = 0 without its coupling between classes, M = XᵀX/(N·S) + l2·I, which whitens the features, so that tens
 * of steps are enough. No random numbers: same input, same result.
 */

/** Rows with a constant 1 appended: [rows, width], row-major. */
export interface Design {
  readonly x: Float64Array
  readonly rows: number
  readonly width: number
}

const MEMORY = 10
const MAX_STEPS = 300
/** Stop when a Newton-like step would lower F by less than this. */
const TOLERANCE = 1e-7
const ARMIJO = 1e-4

/** Weights [width, classes]; the last row is the bias. */
export function fitSoftmaxRegression(
  design: Design,
  labels: ArrayLike<number>,
  classes: number,
  l2: number,
): Float64Array {
  const objective = new Objective(design, labels, classes, l2)
  const metric = startingMetric(design, classes, l2)
  const size = design.width * classes
  const weights = new Float64Array(size)
  let gradient: Float64Array = new Float64Array(size)
  let value = objective.evaluate(weights, gradient)
  const history: Pair[] = []
  for (let step = 0; step < MAX_STEPS; step++) {
    const direction = descentDirection(gradient, history, (v) =>
      solveCholesky(metric, design.width, v, classes),
    )
    const slope = dot(gradient, direction)
    if (-slope < TOLERANCE) break
    const next = new Float64Array(size)
    const nextGradient = new Float64Array(size)
    let length = 1
    let nextValue = value
    for (; length > 1e-10; length /= 2) {
      for (let i = 0; i < size; i++) next[i] = weights[i] + length * direction[i]
      nextValue = objective.evaluate(next, nextGradient)
      if (nextValue <= value + ARMIJO * length * slope) break
    }
    if (!(nextValue < value)) break
    remember(history, weights, next, gradient, nextGradient)
    weights.set(next)
    gradient = nextGradient
    value = nextValue
  }
  return weights
}

/** Most probable class of each row. */
export function predictClasses(design: Design, weights: Float64Array, classes: number): Uint32Array {
  const scores = new Float64Array(classes)
  return Uint32Array.from({ length: design.rows }, (_, row) => {
    rowScores(design, row, weights, classes, scores)
    let best = 0
    for (let c = 1; c < classes; c++) if (scores[c] > scores[best]) best = c
    return best
  })
}

interface Pair {
  readonly step: Float64Array
  readonly change: Float64Array
  readonly scale: number
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

function addScaled(target: Float64Array, factor: number, other: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i] += factor * other[i]
}

function remember(
  history: Pair[],
  from: Float64Array,
  to: Float64Array,
  gradientFrom: Float64Array,
  gradientTo: Float64Array,
): void {
  const step = to.map((value, i) => value - from[i])
  const change = gradientTo.map((value, i) => value - gradientFrom[i])
  const curvature = dot(step, change)
  if (curvature <= 0) return
  history.push({ step, change, scale: 1 / curvature })
  if (history.length > MEMORY) history.shift()
}

/** The two-loop recursion; `precondition` applies the inverse starting metric in place. */
function descentDirection(
  gradient: Float64Array,
  history: readonly Pair[],
  precondition: (values: Float64Array) => void,
): Float64Array {
  const direction = gradient.map((value) => -value)
  const weights: number[] = []
  for (const pair of [...history].reverse()) {
    const weight = pair.scale * dot(pair.step, direction)
    weights.unshift(weight)
    addScaled(direction, -weight, pair.change)
  }
  precondition(direction)
  history.forEach((pair, i) => {
    addScaled(direction, weights[i] - pair.scale * dot(pair.change, direction), pair.step)
  })
  return direction
}

function startingMetric({ x, rows, width }: Design, classes: number, l2: number): Float64Array {
  const metric = new Float64Array(width * width)
  const factor = 1 / (rows * classes)
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < width; i++) {
      const scaled = x[row * width + i] * factor
      for (let j = 0; j <= i; j++) metric[i * width + j] += scaled * x[row * width + j]
    }
  for (let i = 0; i < width; i++) metric[i * width + i] += l2
  return cholesky(metric, width)
}

/** scores = x[row]·W; four features at a time, so that a score is stored once for four products. */
function rowScores(
  { x, width }: Design,
  row: number,
  weights: Float64Array,
  classes: number,
  scores: Float64Array,
): void {
  const base = row * width
  scores.fill(0)
  let d = 0
  for (; d + 4 <= width; d += 4) {
    const x0 = x[base + d]
    const x1 = x[base + d + 1]
    const x2 = x[base + d + 2]
    const x3 = x[base + d + 3]
    const w0 = d * classes
    const w1 = w0 + classes
    const w2 = w1 + classes
    const w3 = w2 + classes
    for (let c = 0; c < classes; c++)
      scores[c] += x0 * weights[w0 + c] + x1 * weights[w1 + c] + x2 * weights[w2 + c] + x3 * weights[w3 + c]
  }
  for (; d < width; d++) {
    const value = x[base + d]
    for (let c = 0; c < classes; c++) scores[c] += value * weights[d * classes + c]
  }
}

class Objective {
  /** Softmax minus one-hot of four rows, gathered before they are spread over the gradient. */
  readonly #residuals: Float64Array[]

  constructor(
    readonly design: Design,
    readonly labels: ArrayLike<number>,
    readonly classes: number,
    readonly l2: number,
  ) {
    this.#residuals = Array.from({ length: 4 }, () => new Float64Array(classes))
  }

  /** F(weights); overwrites `gradient`. */
  evaluate(weights: Float64Array, gradient: Float64Array): number {
    const { rows, width } = this.design
    gradient.fill(0)
    let loss = 0
    for (let row = 0; row < rows; row += 4) {
      for (let k = 0; k < 4; k++) loss += this.#residual(row + k, weights, this.#residuals[k])
      this.#spread(row, gradient)
    }
    const penalised = (width - 1) * this.classes
    let squares = 0
    for (let i = 0; i < gradient.length; i++) {
      const penalty = i < penalised ? this.l2 * weights[i] : 0
      gradient[i] = gradient[i] / rows + penalty
      squares += penalty * weights[i]
    }
    return loss / rows + squares / 2
  }

  /** The row's loss; leaves softmax − one-hot in `scores` (zeros past the last row). */
  #residual(row: number, weights: Float64Array, scores: Float64Array): number {
    if (row >= this.design.rows) {
      scores.fill(0)
      return 0
    }
    rowScores(this.design, row, weights, this.classes, scores)
    const label = this.labels[row]
    let top = scores[0]
    for (const score of scores) if (score > top) top = score
    const own = scores[label] - top
    let sum = 0
    for (let c = 0; c < scores.length; c++) {
      scores[c] = Math.exp(scores[c] - top)
      sum += scores[c]
    }
    for (let c = 0; c < scores.length; c++) scores[c] /= sum
    scores[label] -= 1
    return Math.log(sum) - own
  }

  /** gradient += Σ over the four rows of x[row]ᵀ·residual. */
  #spread(row: number, gradient: Float64Array): void {
    const { x, rows, width } = this.design
    const { classes } = this
    const [r0, r1, r2, r3] = this.#residuals
    // Rows past the end have zero residuals; their features may be any number that exists.
    const at = (k: number) => Math.min(row + k, rows - 1) * width
    const [b0, b1, b2, b3] = [at(0), at(1), at(2), at(3)]
    for (let d = 0; d < width; d++) {
      const x0 = x[b0 + d]
      const x1 = x[b1 + d]
      const x2 = x[b2 + d]
      const x3 = x[b3 + d]
      const g = d * classes
      for (let c = 0; c < classes; c++) gradient[g + c] += x0 * r0[c] + x1 * r1[c] + x2 * r2[c] + x3 * r3[c]
    }
  }
}

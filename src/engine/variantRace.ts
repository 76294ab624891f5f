/**
 * Measures the variants of a kernel class against each other. Every candidate runs the largest work of the class on the
 * same random operands. First its result is compared with that of the fixed choice, up to rounding; then the candidates
 * are timed in turns.
 */
import { disagreement, disagreementPairs } from '../../kernels/disagreement.js'
import { type CapturedStep, captureStep } from './capturedStep.js'
import { PhiloxStream } from './random.js'
import type { Runtime } from './runtime.js'
import { StepMemory } from './stepMemory.js'
import type { StepTimer } from './stepTimer.js'
import { elementCount, type Tensor } from './tensor.js'
import type { KernelClass, Operand } from './variants.js'

const MOST_REPEATS = 1024
/** Candidates that were compiled and checked may finish a short race after the deadline. */
const GRACE_MS = 200
/** A candidate replaces the fixed choice only if it takes less than this fraction of its time. */
const CLEARLY_FASTER = 0.95
/** Largest difference from the result of the fixed choice, relative to its root mean square. */
const TOLERANCE = { f32: 1e-3, f16: 3e-2 }

interface Trial {
  readonly variant: string
  readonly step: CapturedStep
  readonly times: number[]
}

/** Runs candidates against each other within a budget; `close` it at the end. */
export class VariantRace {
  measured = 0
  readonly warnings: string[] = []
  #deadline: number

  constructor(
    readonly runtime: Runtime,
    readonly timer: StepTimer,
    budgetMs: number,
  ) {
    this.#deadline = timer.now() + budgetMs
  }

  get #late(): boolean {
    return this.timer.now() >= this.#deadline
  }

  /** Resets waiting times and buffers of the device to those before measuring. */
  close(): void {
    this.timer.close()
    this.runtime.memory.trim()
    this.runtime.forgetPatience()
  }

  /** The candidate to use; null if time ran out. */
  async fastest(
    { name, tunable, spec }: KernelClass<Tensor>,
    candidates: readonly string[],
  ): Promise<string | null> {
    if (this.#late) return null
    const { runtime } = this
    const operands = tunable.operands(spec).map((operand, i) => randomTensor(runtime, operand, i))
    const memory = new StepMemory(runtime)
    try {
      const trials = candidates.map((variant) => {
        return {
          variant,
          step: captureStep(runtime, () => tunable.run(spec, variant, operands), memory),
          times: [],
        }
      })
      const sound = await this.#sound(name, trials)
      const unbeaten = sound && (await this.#race(sound))
      if (!unbeaten) return null
      this.measured++
      return winner(unbeaten).variant
    } finally {
      memory.release()
      for (const operand of operands) operand.dispose()
    }
  }

  /** The trials whose results agree with the first one's; null if time ran out. */
  async #sound(name: string, trials: readonly Trial[]): Promise<readonly Trial[] | null> {
    const { runtime } = this
    const [fixed, ...others] = trials as [Trial, ...Trial[]]
    const expected = fixed.step.results.map(({ shape, dtype }) => runtime.empty(shape, dtype))
    try {
      const started = this.timer.now()
      const problem = await problemOf(runtime, async () => {
        resultsOnZeros(fixed.step).forEach((result, i) => {
          runtime.copy(result, expected[i])
        })
        await runtime.finish()
        return null
      })
      // Compiling it does not count as tuning: the run compiles it in any case.
      this.#deadline += this.timer.now() - started
      // The fixed choice fails: the step itself will report it.
      if (problem !== null) return null
      const sound = [fixed]
      for (const trial of others) {
        if (this.#late) return null
        const problem = await problemOf(runtime, () => disagreementOf(resultsOnZeros(trial.step), expected))
        if (problem === null) sound.push(trial)
        else this.warnings.push(`${name}: variant ${trial.variant} is not used: ${problem}`)
      }
      return sound
    } finally {
      for (const tensor of expected) tensor.dispose()
    }
  }

  /**
   * Times the trials in turns. Returns the first one and those that beat it in every round; null if time ran
   * out.
   */
  async #race(trials: readonly Trial[]): Promise<readonly Trial[] | null> {
    const fixed = trials[0]
    const repeats = await this.#repeatsInRound(fixed.step)
    const rounds = repeats === 1 ? 3 : 5
    const deadline = Math.max(this.#deadline, this.timer.now() + GRACE_MS)
    let racing = trials
    for (let round = 0; round < rounds && racing.length > 1; round++) {
      for (const { step, times } of racing) {
        if (this.timer.now() > deadline) return null
        times.push(await this.timer.time(step, repeats))
      }
      racing = racing.filter((trial) => trial === fixed || trial.times[round] < fixed.times[round])
    }
    return racing
  }

  /** As many as make a round long enough, by four at a time. */
  async #repeatsInRound(step: CapturedStep): Promise<number> {
    let repeats = 1
    while (repeats < MOST_REPEATS) {
      const ms = repeats * (await this.timer.time(step, repeats))
      if (ms >= this.timer.roundMs) break
      repeats *= 4
    }
    return repeats
  }
}

/**
 * Results of a step on memory that held zeros. The first run compiles and gives them their memory; what the
 * second forgets to write stays zero.
 */
function resultsOnZeros(step: CapturedStep): readonly Tensor[] {
  for (const result of step.run()) step.runtime.clear(result)
  return step.run()
}

/** Runs `work` and says what went wrong with it, on the host or on the device; null if nothing did. */
async function problemOf(runtime: Runtime, work: () => Promise<string | null>): Promise<string | null> {
  const { device } = runtime
  runtime.flush()
  const kinds = ['out-of-memory', 'internal', 'validation'] as const
  for (const kind of kinds) device.pushErrorScope(kind)
  let problem = await work().catch((error) => (error instanceof Error ? error.message : String(error)))
  for (const _ of kinds) problem = (await device.popErrorScope())?.message ?? problem
  return problem
}

/** How candidates' results differ from the fixed choice's beyond rounding; null if they do not. */
async function disagreementOf(got: readonly Tensor[], expected: readonly Tensor[]): Promise<string | null> {
  for (const [i, tensor] of got.entries()) {
    const difference = await largestDifference(tensor, expected[i])
    // Written so that NaN is a disagreement.
    if (!(difference <= TOLERANCE[tensor.stored]))
      return `its result differs from that of the fixed choice by ${difference.toPrecision(2)} times the root mean square`
  }
  return null
}

async function largestDifference(got: Tensor, expected: Tensor): Promise<number> {
  const { runtime, size, stored } = got
  const pairs = runtime.empty([disagreementPairs(size), 2])
  runtime.dispatch(disagreement(runtime.caps, size, stored), [got, expected, pairs])
  const numbers = await pairs.read()
  pairs.dispose()
  let largest = 0
  let squares = 0
  for (let i = 0; i < numbers.length; i += 2) {
    largest = Math.max(largest, numbers[i])
    squares += numbers[i + 1]
  }
  return largest === 0 ? 0 : largest / Math.sqrt(squares / size)
}

/** The fastest, where it is clearly faster than the fixed choice, which comes first. */
function winner(trials: readonly Trial[]): Trial {
  const fixed = trials[0]
  if (trials.length === 1) return fixed
  const best = trials.reduce((a, b) => (median(b.times) < median(a.times) ? b : a))
  return median(best.times) < CLEARLY_FASTER * median(fixed.times) ? best : fixed
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}

/** A prime number of random values, over and over: their period fits no row length. */
const RANDOM_VALUES = 8191

function randomTensor(runtime: Runtime, { shape, dtype }: Operand, number: number): Tensor {
  const stream = new PhiloxStream(0, number)
  const size = elementCount(shape)
  const values = new Float32Array(size)
  const period = Math.min(size, RANDOM_VALUES)
  for (let i = 0; i < period; i++) values[i] = 2 * stream.uniform() - 1
  for (let at = period; at < size; at += period) {
    values.set(values.subarray(0, Math.min(period, size - at)), at)
  }
  return runtime.tensor(values, shape, dtype)
}

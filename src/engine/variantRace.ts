/**
 * Measures the variants of a kernel class against each other. Every candidate runs the class's largest piece of work on the same random
 * operands; first for its result, which must be the fixed choice's up to rounding, then in turns for its time.
 */
import type { HostArray } from './hostArrays.js'
import { Profiler } from './profiler.js'
import { PhiloxStream } from './random.js'
import type { RecordedStep } from './recordedStep.js'
import type { Runtime } from './runtime.js'
import { StepMemory } from './stepMemory.js'
import { elementCount, type Tensor } from './tensor.js'
import type { KernelClass, Operand } from './tuner.js'

/** A round of one candidate lasts at least this long, so that the timer's grain does not matter. */
const ROUND_MS = 2
const MOST_REPEATS = 64
/** Three rounds are enough for work that alone lasts so long. */
const LONG_MS = 8
/** Candidates that were compiled and checked may finish a short race after the deadline. */
const GRACE_MS = 200
/** Another candidate replaces the fixed table's only where it takes less than this share of its time. */
const CLEARLY_FASTER = 0.95
/** Largest difference from the fixed choice's result, in root mean squares of the result. */
const TOLERANCE = { f32: 1e-3, f16: 3e-2 }

interface Trial {
  readonly variant: string
  readonly step: RecordedStep
  readonly times: number[]
}

/** Runs candidates against each other until a deadline; `close` it at the end. */
export class VariantRace {
  measured = 0
  readonly warnings: string[] = []
  readonly #profiler: Profiler | null
  readonly #profilerBefore: Profiler | null
  #deadline: number

  constructor(
    readonly runtime: Runtime,
    deadline: number,
  ) {
    this.#deadline = deadline
    this.#profilerBefore = runtime.profiler
    this.#profiler = runtime.caps.timestampQuery ? new Profiler(runtime.device) : null
  }

  get #late(): boolean {
    return performance.now() > this.#deadline
  }

  /** The device's waiting times and buffers are as if nothing had been measured. */
  close(): void {
    this.runtime.profiler = this.#profilerBefore
    this.runtime.memory.trim()
    this.runtime.forgetPatience()
  }

  /** The candidate to use; null if time ran out. */
  async fastest({ name, tunable, spec }: KernelClass, candidates: readonly string[]): Promise<string | null> {
    if (this.#late) return null
    const { runtime } = this
    const operands = tunable.operands(spec).map((operand, i) => randomTensor(runtime, operand, i))
    const memory = new StepMemory(runtime)
    try {
      const trials = candidates.map((variant) => {
        return {
          variant,
          step: runtime.record(() => tunable.run(spec, variant, operands), memory),
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
    const [fixed, ...others] = trials as [Trial, ...Trial[]]
    const started = performance.now()
    fixed.step.run()
    // Compiling it is no cost of tuning: without tuning the run would do it.
    this.#deadline += performance.now() - started
    const expected = await results(this.runtime, fixed.step)
    // The fixed choice fails: the step itself will say so.
    if (typeof expected === 'string') return null
    const sound = [fixed]
    for (const trial of others) {
      if (this.#late) return null
      const got = await results(this.runtime, trial.step)
      const problem = typeof got === 'string' ? got : disagreement(got, expected, trial.step.results)
      if (problem === null) sound.push(trial)
      else this.warnings.push(`${name}: variant ${trial.variant} is not used: ${problem}`)
    }
    return sound
  }

  /** Times the trials in turns. Returns the first one and those that beat it in every round; null if time ran out. */
  async #race(trials: readonly Trial[]): Promise<readonly Trial[] | null> {
    const fixed = trials[0]!
    const once = await this.#time(fixed.step, 1)
    const repeats = Math.min(MOST_REPEATS, Math.ceil(ROUND_MS / once))
    const rounds = once > LONG_MS ? 3 : 5
    const deadline = Math.max(this.#deadline, performance.now() + GRACE_MS)
    let racing = trials
    for (let round = 0; round < rounds && racing.length > 1; round++) {
      for (const { step, times } of racing) {
        if (performance.now() > deadline) return null
        times.push(await this.#time(step, repeats))
      }
      racing = racing.filter((trial) => trial === fixed || trial.times[round]! < fixed.times[round]!)
    }
    return racing
  }

  /** Milliseconds of one run: on the device's clock where it has one, else on the wall's. */
  async #time(step: RecordedStep, repeats: number): Promise<number> {
    const { runtime } = this
    runtime.profiler = this.#profiler
    const started = performance.now()
    for (let i = 0; i < repeats; i++) step.run()
    runtime.flush()
    runtime.profiler = null
    if (this.#profiler) {
      const rows = await this.#profiler.rows()
      return rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / repeats
    }
    await runtime.device.queue.onSubmittedWorkDone()
    return (performance.now() - started) / repeats
  }
}

/** What a step computes, on memory that held zeros; or why it computes nothing. */
async function results(runtime: Runtime, step: RecordedStep): Promise<readonly HostArray[] | string> {
  const { device } = runtime
  runtime.flush()
  const kinds = ['out-of-memory', 'internal', 'validation'] as const
  for (const kind of kinds) device.pushErrorScope(kind)
  let problem: string | null = null
  let read: readonly HostArray[] = []
  try {
    // The first run compiles and gives the results their memory; what the second forgets to write stays zero.
    for (const result of step.run()) runtime.clear(result)
    read = await Promise.all(step.run().map((result) => result.read()))
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error)
  }
  for (const _ of kinds) problem = (await device.popErrorScope())?.message ?? problem
  return problem ?? read
}

/** How a candidate's results differ from the fixed choice's beyond rounding; null if they do not. */
function disagreement(
  got: readonly HostArray[],
  expected: readonly HostArray[],
  tensors: readonly Tensor[],
): string | null {
  for (const [i, { dtype }] of tensors.entries()) {
    const difference = largestDifference(got[i]!, expected[i]!)
    // Written so that NaN is a disagreement.
    if (!(difference <= TOLERANCE[dtype === 'f16' ? 'f16' : 'f32']))
      return `its result differs from the fixed choice's by ${difference.toPrecision(2)} of the root mean square`
  }
  return null
}

function largestDifference(got: HostArray, expected: HostArray): number {
  let squares = 0
  let largest = 0
  for (let i = 0; i < expected.length; i++) {
    squares += expected[i]! ** 2
    const difference = Math.abs(got[i]! - expected[i]!)
    if (!(difference <= largest)) largest = difference
  }
  return largest === 0 ? 0 : largest / Math.sqrt(squares / expected.length)
}

/** The fastest, where it is clearly faster than the fixed choice, which comes first. */
function winner(trials: readonly Trial[]): Trial {
  const fixed = trials[0]!
  if (trials.length === 1) return fixed
  const best = trials.reduce((a, b) => (median(b.times) < median(a.times) ? b : a))
  return median(best.times) < CLEARLY_FASTER * median(fixed.times) ? best : fixed
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
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

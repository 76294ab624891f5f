/** Times of repeated runs: the median, with the shortest and the longest beside it. */
import type { Runtime } from '../src/engine/runtime.js'

export interface Timing {
  /** Median, milliseconds. */
  readonly ms: number
  /** Shortest and longest, milliseconds. */
  readonly spread: [number, number]
}

/** The middle value of an odd count, the mean of the two middle ones of an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function summary(values: readonly number[]): Timing {
  return { ms: median(values), spread: [Math.min(...values), Math.max(...values)] }
}

/** Amount of measuring: number of rounds, and minimum time of a round of one candidate. */
export interface Effort {
  readonly rounds: number
  readonly roundMs: number
}

/** Runs the work `repeats` times back to back, waits for the last, and says how many milliseconds each took. */
export type TimedRun = (repeats: number) => Promise<number>

/**
 * Measures candidates in turn, `rounds` times, so that a temporary slowdown of the machine affects all of them. Each runs
 * twice before: once to compile, and once to determine the number of repeats in a round.
 */
export async function alternate(
  candidates: readonly TimedRun[],
  { rounds, roundMs }: Effort,
): Promise<Timing[]> {
  const repeats: number[] = []
  for (const run of candidates) {
    await run(1)
    const once = await run(1)
    repeats.push(Math.max(1, Math.min(MOST_REPEATS, Math.round(roundMs / once))))
  }
  const times: number[][] = candidates.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, run] of candidates.entries()) times[i].push(await run(repeats[i]))
  }
  return times.map(summary)
}

/** Times of what `queue` queues, in this process: for each round the milliseconds of one run. */
export async function timeWork(
  runtime: Runtime,
  queue: () => void,
  { rounds, roundMs }: Effort,
): Promise<number[]> {
  const run: TimedRun = async (repeats) => {
    const start = performance.now()
    for (let i = 0; i < repeats; i++) queue()
    runtime.flush()
    await runtime.device.queue.onSubmittedWorkDone()
    return (performance.now() - start) / repeats
  }
  await run(1)
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.round(roundMs / (await run(1)))))
  const times: number[] = []
  for (let round = 0; round < rounds; round++) times.push(await run(repeats))
  // Device errors surface when something is read.
  await runtime.finish()
  return times
}

/** Peers hold the results of all queued runs until the last is done. */
const MOST_REPEATS = 50

/** Geometric mean of ratios. */
export function geometricMean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length)
}

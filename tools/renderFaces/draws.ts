/** Distributions on top of the project's Philox streams, and the numbers of the streams this tool uses. */
import type { PhiloxStream } from '../../src/engine/random.js'

/** Second word of the Philox key: what a stream decides. Its step is the person's or the picture's number. */
export const streams = {
  look: 0xface01,
  rates: 0xface02,
  picture: 0xface03,
  noise: 0xface04,
  folds: 0xface05,
}

/** Extra people are numbered from here, so that adding labelled people never changes the extra ones. */
export const firstExtra = 1_000_000

export function between(random: PhiloxStream, low: number, high: number): number {
  return low + (high - low) * random.uniform()
}

/** Normal with mean 0, redrawn until it lies within ±limit. */
export function clippedNormal(random: PhiloxStream, deviation: number, limit: number): number {
  for (;;) {
    const x = deviation * random.normal()
    if (Math.abs(x) <= limit) return x
  }
}

export function pick<T>(random: PhiloxStream, choices: readonly T[]): T {
  return choices[random.integer(choices.length)]
}

/** Marsaglia & Tsang 2000; shapes below 1 by their boost U^(1/shape). */
function gamma(random: PhiloxStream, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random.uniform()) ** (1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = random.normal()
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}

/** Beta(a, b) as a ratio of gammas. */
export function beta(random: PhiloxStream, a: number, b: number): number {
  const x = gamma(random, a)
  return x / (x + gamma(random, b))
}

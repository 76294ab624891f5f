/**
 * The error function to double precision: Taylor series near zero, Lentz's continued fraction of erfc beyond.
 */
export function erf(x: number): number {
  const size = Math.abs(x)
  const value = size < 2.5 ? series(size) : 1 - complement(size)
  return x < 0 ? -value : value
}

/** erf(x) = 2/√π · Σ (−1)ⁿ x^(2n+1) / (n!·(2n+1)). */
function series(x: number): number {
  let power = x
  let sum = x
  for (let n = 1; Math.abs(power) > 1e-18; n++) {
    power *= (-x * x) / n
    sum += power / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

/** erfc(x) = e^(−x²)/√π · 1/(x + ½/(x + 1/(x + 3⁄2/(x + …)))), from the inside out. */
function complement(x: number): number {
  let fraction = x
  for (let n = 120; n > 0; n--) fraction = x + n / 2 / fraction
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction)
}

/** x·Φ(x). */
export function geluValue(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2))
}

/** Φ(x) + x·φ(x). */
export function geluSlope(x: number): number {
  return 0.5 * (1 + erf(x / Math.SQRT2)) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI)
}

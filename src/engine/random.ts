/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
 * SC 2011). Any number of any stream is a pure function of its address, so masks and drop paths can be
 * recomputed and a stopped run resumed; `kernels/random.ts` gives the same bits in WGSL.
 *
 * Address of draw i of step s in stream k of seed r (four draws share one counter block):
 *   key     = (r, k)
 *   counter = (low and high word of floor(i / 4), low and high word of s),   word i mod 4 of the result
 *
 * Host streams leave s at 0 and walk along i; per-step device draws take a fresh s each step. Two users of
 * one seed must therefore differ in the stream number.
 */

const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
const KEY_STEP_0 = 0x9e3779b9
const KEY_STEP_1 = 0xbb67ae85
const ROUNDS = 10
const TWO_TO_32 = 2 ** 32

/** High 32 bits of the 64-bit product, by 16-bit halves so that no partial sum leaves 32 bits. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = (middle & 0xffff) + aLow * bHigh
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0
}

/**
 * The bijection itself: counter c and key k (u32 words, lowest first) → four random u32 in `out`. The inner
 * loop of everything here, free of allocation.
 */
export function philox4x32(
  out: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
) {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0)
    const low0 = Math.imul(MULTIPLIER_0, c0)
    const high1 = multiplyHigh(MULTIPLIER_1, c2)
    const low1 = Math.imul(MULTIPLIER_1, c2)
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0 >>> 0
    k0 = (k0 + KEY_STEP_0) >>> 0
    k1 = (k1 + KEY_STEP_1) >>> 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}

/** The upper 24 bits as a uniform in [0, 1): exact in f32, hence equal on host and device. */
function toUniform(word: number): number {
  return (word >>> 8) * 2 ** -24
}

function checkWord(name: string, value: number, end: number): void {
  if (Number.isInteger(value) && value >= 0 && value < end) return
  throw new RangeError(`PhiloxStream: ${name} must be an integer in 0…${end - 1}, got ${value}`)
}

/**
 * A sequential reader of one stream. Its whole state is `position`, the number of u32 words drawn so far:
 * save that number and set it again to go on with the same bits.
 */
export class PhiloxStream {
  readonly #block = new Uint32Array(4)
  readonly #seed: number
  readonly #stream: number
  readonly #step: number
  #next = 0

  /**
   * Seed and stream are u32; step < 2^53 opens an independent row of the same stream (per sample, per epoch).
   */
  constructor(seed: number, stream: number, step = 0) {
    checkWord('seed', seed, TWO_TO_32)
    checkWord('stream', stream, TWO_TO_32)
    checkWord('step', step, 2 ** 53)
    this.#seed = seed
    this.#stream = stream
    this.#step = step
  }

  get position(): number {
    return this.#next
  }

  set position(value: number) {
    checkWord('position', value, 2 ** 53)
    this.#next = value
    if (value % 4 !== 0) this.#refill()
  }

  #refill(): void {
    const number = Math.floor(this.#next / 4)
    philox4x32(
      this.#block,
      number >>> 0,
      Math.floor(number / TWO_TO_32),
      this.#step >>> 0,
      Math.floor(this.#step / TWO_TO_32),
      this.#seed,
      this.#stream,
    )
  }

  /** The next 32 random bits. */
  uint32(): number {
    const word = this.#next % 4
    if (word === 0) this.#refill()
    this.#next++
    return this.#block[word]
  }

  /** Uniform in [0, 1), a multiple of 2^-24. */
  uniform(): number {
    return toUniform(this.uint32())
  }

  /**
   * Standard normal (Box–Muller 1958, the cosine half: always two words a draw, so `position` is the state).
   */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    return radius * Math.cos(2 * Math.PI * this.uniform())
  }

  /** Uniform integer in 0…n-1, n ≤ 2^32, without modulo bias: the ragged end of the u32 range is redrawn. */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_TO_32)
      throw new RangeError(`PhiloxStream.integer: n must be an integer in 1…2^32, got ${n}`)
    const end = TWO_TO_32 - (TWO_TO_32 % n)
    let word = this.uint32()
    while (word >= end) word = this.uint32()
    return word % n
  }

  /** Shuffles in place (Fisher–Yates) and returns the same array. */
  shuffle<A extends { [index: number]: unknown; readonly length: number }>(array: A): A {
    for (let last = array.length - 1; last > 0; last--) {
      const other = this.integer(last + 1)
      const held = array[last]
      array[last] = array[other]
      array[other] = held
    }
    return array
  }

  /** A random order of 0…n-1. */
  permutation(n: number): Uint32Array {
    return this.shuffle(Uint32Array.from({ length: n }, (_, index) => index))
  }
}

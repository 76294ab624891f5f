/**
 * IEEE 754 half precision on the host: Node 20 has no Float16Array. Conversion to half rounds to nearest,
 * ties to even, as the device does.
 */
const bits = new DataView(new ArrayBuffer(4))

export function toHalf(value: number): number {
  bits.setFloat32(0, value)
  const single = bits.getUint32(0)
  const sign = (single >>> 16) & 0x8000
  const magnitude = single & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude < 0x38800000) return sign | roundedToEven(Math.abs(value) * 2 ** 24)
  // Rebias the exponent; the 13 bits that fall away round to nearest, ties to even.
  return sign | ((magnitude - 0x38000000 + 0x0fff + ((magnitude >>> 13) & 1)) >>> 13)
}

export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 31
  const fraction = half & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

export function toHalves(values: ArrayLike<number>): Uint16Array {
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < halves.length; i++) halves[i] = toHalf(values[i])
  return halves
}

/** All that there are: looking them up is ten times as fast as computing them. */
let singles: Float32Array | null = null

export function fromHalves(halves: Uint16Array): Float32Array {
  singles ??= Float32Array.from({ length: 0x10000 }, (_, half) => fromHalf(half))
  const values = new Float32Array(halves.length)
  for (let i = 0; i < halves.length; i++) values[i] = singles[halves[i]]
  return values
}

function roundedToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return Math.round(value)
  return floor + (floor & 1)
}

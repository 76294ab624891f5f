const MISSING = '–'

/** Keeps a number and its unit on one line. */
const SPACE = '\u00a0'

/** A score between 0 and 1, or a loss: three decimals. null (undefined value) is a dash. */
export function score(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? MISSING : value.toFixed(3)
}

/** A difference of two scores, with its sign; the minus is U+2212, as wide as the plus. */
export function change(value: number): string {
  if (!Number.isFinite(value)) return MISSING
  const digits = Math.abs(value).toFixed(3)
  if (Number(digits) === 0) return '±0.000'
  return (value < 0 ? '−' : '+') + digits
}

export function percent(value: number): string {
  return Number.isFinite(value) ? `${(100 * value).toFixed(1)}${SPACE}%` : MISSING
}

/** A whole number with thousands marked: 1,234,567. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-GB')
}

/** A duration as people write it: 0.8 s, 47 s, 5 min 12 s, 1 h 03 min. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)}${SPACE}s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole}${SPACE}s`
  const two = (value: number) => String(value).padStart(2, '0')
  if (whole < 3600) return [Math.floor(whole / 60), 'min', two(whole % 60), 's'].join(SPACE)
  return [Math.floor(whole / 3600), 'h', two(Math.floor((whole % 3600) / 60)), 'min'].join(SPACE)
}

/** λ and other set values: as short as they were written. */
export function setting(value: number): string {
  return String(Number(value.toPrecision(6)))
}

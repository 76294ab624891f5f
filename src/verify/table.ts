import type { Check } from './check.js'

/** Columns of equal width, numbers flush right; the first row is the heading. */
export function textTable(rows: readonly (readonly string[])[], leftColumns: number): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column < leftColumns ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n')
}

/** "1.2e-7"; "0" for exact, "not finite or wrong size" as "bad". */
export function errorText(error: number | null): string {
  if (error === null) return ''
  if (error === 0) return '0'
  return Number.isFinite(error) ? error.toExponential(1) : 'bad'
}

export function passes({ error, tolerance }: Check, general: number): boolean {
  return error <= (tolerance ?? general)
}

/** One row per group: how many comparisons, the worst of them, and whether all passed. */
export function checkRows(checks: readonly Check[], tolerance: number): string[][] {
  const groups = new Map<string, Check[]>()
  for (const check of checks) groups.set(check.group, [...(groups.get(check.group) ?? []), check])
  return [...groups].map(([group, members]) => {
    const failed = members.filter((check) => !passes(check, tolerance))
    const worst = (failed.length > 0 ? failed : members).reduce((a, b) => (b.error > a.error ? b : a))
    const where = worst.what === group ? '' : worst.what
    const verdict = failed.length > 0 ? `FAIL (${failed.length})` : 'ok'
    return [group, where, String(members.length), errorText(worst.error), verdict]
  })
}

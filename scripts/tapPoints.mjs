/**
 * Reads TAP line by line and counts test points. Only leaves count, because the point that closes a subtest repeats the
 * result of its points. It counts only if it fails without a failure inside (a file that timed out or crashed).
 * `onFile({ name, ok, passed, failed, seconds })` is called for each top-level point.
 */
export class TapPoints {
  passed = 0
  failed = 0
  skips = []
  #levels = new Map() // depth of indentation → { points, failed } since the last point one level up
  #file = { passed: 0, failed: 0 }
  #onFile

  /** @param {(file: { name: string, ok: boolean, passed: number, failed: number, seconds: number }) => void} onFile */
  constructor(onFile = () => {}) {
    this.#onFile = onFile
  }

  line(text) {
    const point = /^((?: {4})*)(not )?ok\b(?: \d+)?(?: - )?(.*)$/.exec(text)
    if (!point) return
    const depth = point[1].length / 4
    const [name, directive = ''] = splitDirective(point[3])
    const waived = /^(skip|todo)/i.test(directive)
    const inner = this.#levels.get(depth + 1)
    this.#levels.delete(depth + 1)
    const failed = Boolean(point[2]) && !waived
    if (waived)
      this.skips.push(`${name}: ${directive.replace(/^(skip|todo)\S*\s*/i, '') || 'no reason given'}`)
    else if (!inner?.points) this.#count(failed)
    else if (failed && inner.failed === 0) this.#count(true)
    const level = this.#levels.get(depth) ?? { points: 0, failed: 0 }
    level.points += 1
    level.failed += failed ? 1 : 0
    this.#levels.set(depth, level)
    if (depth === 0) this.#closeFile(name, !failed, secondsOf(point[3]))
  }

  #count(failed) {
    this[failed ? 'failed' : 'passed'] += 1
    this.#file[failed ? 'failed' : 'passed'] += 1
  }

  #closeFile(name, ok, seconds) {
    this.#onFile({ name, ok, ...this.#file, seconds })
    this.#file = { passed: 0, failed: 0 }
  }
}

/** "name # time=2083.4ms" → 2.0834; 0 where it does not say. */
function secondsOf(text) {
  const [, number, unit] = /#\s*time=([\d.]+)(ms|s|m)?/.exec(text) ?? [null, 0]
  return Number(number) * ({ ms: 1e-3, m: 60 }[unit] ?? 1)
}

/** "name # SKIP why" → ["name", "SKIP why"]; "# time=3ms" and a subtest's brace are dropped. */
function splitDirective(text) {
  const clean = text.replace(/\s*#\s*time=\S+.*$/i, '').replace(/\s*\{$/, '')
  const match = /^(.*?)\s+#\s*((?:skip|todo)\b.*)$/i.exec(clean) ?? /^()#\s*((?:skip|todo)\b.*)$/i.exec(clean)
  return match ? [match[1], match[2]] : [clean]
}

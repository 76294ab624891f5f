/** What a progress bar writes to: `process.stderr`, or anything like it. */
export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export interface ProgressOptions {
  /** What runs, e.g. `pretrain`. */
  readonly label: string
  /** Steps of the whole run (null: unknown), and steps already done when a run resumes. */
  readonly total: number | null
  readonly done?: number
  /** What is counted besides steps; default `images`. */
  readonly unit?: string
  readonly stream: ProgressStream
  /** Milliseconds; a clock for tests. */
  readonly now?: () => number
}

export interface ProgressUpdate {
  /** Images (or what else is counted) in this step. */
  readonly images: number
  /** Of a training step. */
  readonly training?: { readonly epoch: number; readonly loss: number; readonly learningRate: number }
}

const REDRAW_EVERY = 100
const PLAIN_LINE_EVERY = 10_000

/** Seconds → `7s`, `3m05s` or `2h07m`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const padded = (value: number) => String(value).padStart(2, '0')
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m${padded(whole % 60)}s`
  return `${Math.floor(whole / 3600)}h${padded(Math.floor((whole % 3600) / 60))}m`
}

/** One line that redraws itself on a terminal; elsewhere a plain line every few seconds. */
export class Progress {
  readonly #started: number
  readonly #firstStep: number
  #step: number
  #images = 0
  #shownAt = Number.NEGATIVE_INFINITY
  #last: ProgressUpdate | null = null

  constructor(readonly options: ProgressOptions) {
    this.#firstStep = options.done ?? 0
    this.#step = this.#firstStep
    this.#started = this.#now()
  }

  #now(): number {
    return this.options.now?.() ?? performance.now()
  }

  /** Images per second so far. */
  get imagesPerSecond(): number {
    return this.#images / Math.max((this.#now() - this.#started) / 1000, 1e-9)
  }

  /** Counts one step and shows it when the last drawing is old enough. */
  update(update: ProgressUpdate): void {
    this.#step++
    this.#images += update.images
    this.#last = update
    const now = this.#now()
    if (now - this.#shownAt < (this.options.stream.isTTY ? REDRAW_EVERY : PLAIN_LINE_EVERY)) return
    this.#shownAt = now
    this.#draw()
  }

  /** Draws the final state and ends the line. */
  finish(): void {
    this.#draw()
    if (this.options.stream.isTTY) this.options.stream.write('\n')
  }

  /** Writes a line of text above the bar. */
  note(text: string): void {
    this.options.stream.write(this.options.stream.isTTY ? `\r\x1b[K${text}\n` : `${text}\n`)
    if (this.options.stream.isTTY) this.#draw()
  }

  /** As much as fits `width` columns; the time left always, the rest by importance. */
  #line(width = Number.POSITIVE_INFINITY): string {
    const { label, total, unit = 'images' } = this.options
    const seconds = (this.#now() - this.#started) / 1000
    const done = this.#step - this.#firstStep
    const left = done > 0 && total !== null ? (seconds / done) * (total - this.#step) : 0
    const steps = total === null ? String(this.#step) : `${this.#step}/${total}`
    const training = this.#last?.training
    const loss = training && `loss ${training.loss.toFixed(4)}`
    const epoch = training && `epoch ${training.epoch + 1}`
    const learningRate = training && `lr ${training.learningRate.toExponential(2)}`
    const rate = `${this.imagesPerSecond.toFixed(1)} ${unit}/s`
    const isOver = total === null || this.#step >= total
    const time = isOver ? `took ${formatDuration(seconds)}` : `${formatDuration(left)} left`
    const full = [label, this.#bar(20), steps].filter(Boolean).join(' ')
    const short = [label, this.#bar(10), steps].filter(Boolean).join(' ')
    const lines = [
      [full, epoch, loss, learningRate, rate, time],
      [full, epoch, loss, rate, time],
      [short, epoch, loss, rate, time],
      [short, loss, rate, time],
      [short, loss, time],
      [steps, loss, time],
      [steps, time],
    ].map((parts) => parts.filter(Boolean).join('  '))
    return lines.find((line) => line.length <= width) ?? time.slice(0, Math.max(width, 0))
  }

  #bar(width: number): string {
    const { total } = this.options
    if (total === null) return ''
    const share = total > 0 ? Math.min(this.#step / total, 1) : 1
    const filled = Math.round(share * width)
    return '█'.repeat(filled) + '░'.repeat(width - filled)
  }

  #draw(): void {
    const { stream } = this.options
    // A line as long as the terminal is wide would wrap.
    if (stream.isTTY) stream.write(`\r\x1b[K${this.#line((stream.columns ?? 120) - 1)}`)
    else stream.write(`${this.#line()}\n`)
  }
}

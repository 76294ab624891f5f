import { type Html, html } from './html.js'

/**
 * What all charts share: one drawing area, ticks at round numbers, and labels in the right margin that do not overlap.
 * Sizes are in the units of the viewBox; the style sheet scales the drawing to its column and enlarges the text on phones.
 */
export const frame = { width: 480, height: 290, left: 46, right: 92, top: 30, bottom: 44 } as const
export const plotRight = frame.width - frame.right
export const plotBottom = frame.height - frame.bottom

/** A level drawn across a chart, such as chance; its name and value stand in the right margin. */
export interface Reference {
  readonly name: string
  readonly value: number
}

export type Scale = (value: number) => number

export function linearScale(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const span = domain[1] - domain[0] || 1
  return (value) => range[0] + ((value - domain[0]) / span) * (range[1] - range[0])
}

/** Round numbers (1, 2, 2.5 or 5 times a power of ten) from `low` to `high`, about `wanted` of them. */
export function ticks(low: number, high: number, wanted = 5): number[] {
  if (!(high > low)) return [low]
  const rough = (high - low) / wanted
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999)!
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  )
}

/** Widens a range to the round numbers around it, so that the outermost gridlines enclose the data. */
export function niceDomain(low: number, high: number): [number, number] {
  const spread = high > low ? high - low : Math.abs(high) || 1
  const marks = ticks(low - spread / 1000, high + spread / 1000)
  const step = marks.length > 1 ? marks[1] - marks[0] : spread
  return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step]
}

/** Tick labels with just the decimals that this spacing needs: 0, 0.25, 0.5 → 0.00, 0.25, 0.50. */
export function tickText(marks: readonly number[]): string[] {
  const decimals = Math.max(0, ...marks.map((mark) => (String(mark).split('.')[1] ?? '').length))
  return marks.map((mark) => (Math.abs(mark) >= 1000 ? mark.toLocaleString('en-GB') : mark.toFixed(decimals)))
}

/** Horizontal gridlines with their labels, and the name of the y axis above them. */
export function yAxis(scale: Scale, domain: readonly [number, number], label: string): Html {
  const marks = ticks(domain[0], domain[1])
  const texts = tickText(marks)
  const lines = marks.map((mark, index) => {
    const y = round(scale(mark))
    const className = index === 0 ? 'axis' : 'grid-line'
    return html`<line class="${className}" x1="${frame.left}" x2="${plotRight}" y1="${y}" y2="${y}"/>
<text class="tick" x="${frame.left - 8}" y="${y}" dy=".34em" text-anchor="end">${texts[index]}</text>`
  })
  return html`${lines}<text class="label" x="0" y="12">${label}</text>`
}

export function xAxis(scale: Scale, marks: readonly number[], label: string): Html {
  const texts = tickText(marks)
  return html`${marks.map(
    (mark, index) =>
      html`<line class="axis" x1="${round(scale(mark))}" x2="${round(scale(mark))}" y1="${plotBottom}" y2="${plotBottom + 4}"/>
<text class="tick" x="${round(scale(mark))}" y="${plotBottom + 17}" text-anchor="middle">${texts[index]}</text>`,
  )}<text class="label" x="${(frame.left + plotRight) / 2}" y="${frame.height - 6}" text-anchor="middle">${label}</text>`
}

/** A label of the right margin: `lines` of text that belong to the height `y`. */
export interface MarginLabel {
  readonly y: number
  readonly lines: readonly string[]
  readonly className: string
}

const LINE_HEIGHT = 15

/** Writes labels beside the plot, pushed apart where they would overlap. */
export function marginLabels(labels: readonly MarginLabel[]): Html {
  const sorted = [...labels].sort((a, b) => a.y - b.y)
  const tops: number[] = []
  let free = Number.NEGATIVE_INFINITY
  for (const label of sorted) {
    const top = Math.max(label.y - (label.lines.length * LINE_HEIGHT) / 2, free)
    tops.push(top)
    free = top + label.lines.length * LINE_HEIGHT + 2
  }
  let ceiling: number = frame.height - 4
  for (let index = sorted.length - 1; index >= 0; index--) {
    const height = sorted[index].lines.length * LINE_HEIGHT
    tops[index] = Math.min(tops[index], ceiling - height)
    ceiling = tops[index] - 2
  }
  return html`${sorted.map((label, index) =>
    label.lines.map(
      (line, row) =>
        html`<text class="${label.className}" x="${plotRight + 8}" y="${round(tops[index] + (row + 0.76) * LINE_HEIGHT)}">${line}</text>`,
    ),
  )}`
}

export function referenceLine(scale: Scale, reference: Reference): Html {
  const y = round(scale(reference.value))
  return html`<line class="reference" x1="${frame.left}" x2="${plotRight}" y1="${y}" y2="${y}"/>`
}

export function referenceLabel(scale: Scale, reference: Reference): MarginLabel {
  return {
    y: scale(reference.value),
    lines: [reference.name, reference.value.toFixed(3)],
    className: 'reference-label',
  }
}

/** The SVG element around a drawing. `description` is what a screen reader says. */
export function svg(width: number, height: number, description: string, content: Html): Html {
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${description}">${content}</svg>`
}

export type Marker = 'circle' | 'square' | 'triangle'

/** A marker of about the same ink whatever its shape, with an optional hover title. */
export function marker(shape: Marker, x: number, y: number, size: number, title: string | null): Html {
  const hover = title === null ? null : html`<title>${title}</title>`
  if (shape === 'circle') return html`<circle cx="${round(x)}" cy="${round(y)}" r="${size}">${hover}</circle>`
  const side = round(size * (shape === 'square' ? 0.89 : 1.25))
  const path =
    shape === 'square'
      ? `M${round(x - side)} ${round(y - side)}h${2 * side}v${2 * side}h${-2 * side}z`
      : `M${round(x)} ${round(y - side)}l${side} ${round(1.8 * side)}h${-2 * side}z`
  return html`<path d="${path}">${hover}</path>`
}

/** Hundredths of a unit are finer than a screen shows. */
export function round(value: number): number {
  return Math.round(value * 100) / 100
}

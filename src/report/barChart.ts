import {
  frame,
  linearScale,
  marginLabels,
  niceDomain,
  plotBottom,
  plotRight,
  type Reference,
  referenceLabel,
  referenceLine,
  round,
  svg,
  yAxis,
} from './chart.js'
import { score } from './format.js'
import { type Html, html } from './html.js'
import type { Tone } from './palette.js'

export interface Bar {
  readonly name: string
  readonly tone: Tone
  readonly value: number
  /** Drawn pale with an outline: the second of two bars of one tone. */
  readonly pale?: boolean
}

export interface BarGroup {
  readonly label: string
  readonly detail?: string
  readonly bars: readonly Bar[]
}

export interface BarChart {
  readonly description: string
  readonly yLabel: string
  readonly groups: readonly BarGroup[]
  readonly references: readonly Reference[]
  /** Where the bars start: 0, or the value of guessing where that is not 0. */
  readonly baseline: number
}

const BAR_WIDTH = 45
const BAR_GAP = 5

/** Upright bars in groups, each with its value on top; a value below the baseline hangs from it. */
export function barChart(chart: BarChart): Html {
  const values = chart.groups.flatMap((group) => group.bars.map((bar) => bar.value))
  const levels = [...values, ...chart.references.map((reference) => reference.value), chart.baseline]
  const domain = niceDomain(Math.min(...levels), Math.max(...levels, chart.baseline + 0.05))
  const y = linearScale(domain, [plotBottom, frame.top + 14])
  const slot = (plotRight - frame.left) / chart.groups.length
  const groups = chart.groups.map((group, index) => drawGroup(group, frame.left + (index + 0.5) * slot))
  return svg(
    frame.width,
    frame.height,
    chart.description,
    html`${yAxis(y, domain, chart.yLabel)}${chart.references.map((reference) => referenceLine(y, reference))}${groups}
${marginLabels(chart.references.map((reference) => referenceLabel(y, reference)))}`,
  )

  function drawGroup(group: BarGroup, centre: number): Html {
    const width = group.bars.length * (BAR_WIDTH + BAR_GAP) - BAR_GAP
    const bars = group.bars.map((bar, index) => {
      const left = centre - width / 2 + index * (BAR_WIDTH + BAR_GAP)
      const [top, bottom] = [y(bar.value), y(chart.baseline)].sort((a, b) => a - b)
      return html`<g class="series tone-${bar.tone}"><rect class="${bar.pale ? 'bar pale' : 'bar'}" x="${round(left)}" y="${round(top)}" width="${BAR_WIDTH}" height="${round(Math.max(bottom - top, 1))}" rx="2"><title>${group.label}, ${bar.name}: ${score(bar.value)}</title></rect>
<text class="value" x="${round(left + BAR_WIDTH / 2)}" y="${round(top - 6)}" text-anchor="middle">${score(bar.value)}</text></g>`
    })
    const detail = group.detail
      ? html`<text class="label" x="${round(centre)}" y="${plotBottom + 36}" text-anchor="middle">${group.detail}</text>`
      : null
    return html`${bars}<text class="tick strong" x="${round(centre)}" y="${plotBottom + 18}" text-anchor="middle">${group.label}</text>${detail}`
  }
}

import {
  frame,
  linearScale,
  marginLabels,
  marker,
  niceDomain,
  plotBottom,
  plotRight,
  type Reference,
  referenceLabel,
  referenceLine,
  round,
  type Scale,
  svg,
  ticks,
  xAxis,
  yAxis,
} from './chart.js'
import { score } from './format.js'
import { type Html, html } from './html.js'
import { type Tone, tones } from './palette.js'
import type { Curve } from './reportInput.js'

export interface LineSeries {
  readonly name: string
  readonly tone: Tone
  readonly points: Curve
}

export interface LineChart {
  readonly description: string
  readonly xLabel: string
  readonly yLabel: string
  readonly series: readonly LineSeries[]
  readonly references?: readonly Reference[]
  /** Include this value in the y range, such as 0. */
  readonly yFrom?: number
}

/** More points than a column has pixels for are averaged in equal groups. */
const MOST_POINTS = 120
const FEW_POINTS = 40

/** Curves over a common x axis, the last value of each in the margin. Points that are not finite are left out. */
export function lineChart(chart: LineChart): Html {
  const series = chart.series
    .map((line) => ({ ...line, points: thin(finite(line.points)) }))
    .filter((line) => line.points.length > 0)
  if (series.length === 0) return html`<p class="empty">No data available.</p>`
  const references = chart.references ?? []
  const xs = series.flatMap((line) => line.points.map((point) => point[0]))
  const ys = [
    ...series.flatMap((line) => line.points.map((point) => point[1])),
    ...references.map((r) => r.value),
  ]
  const from = chart.yFrom === undefined ? [] : [chart.yFrom]
  const yDomain = niceDomain(minimum([...ys, ...from]), maximum([...ys, ...from]))
  const x = linearScale([minimum(xs), maximum(xs)], [frame.left, plotRight])
  const y = linearScale(yDomain, [plotBottom, frame.top])
  const labels = [
    ...references.map((reference) => referenceLabel(y, reference)),
    ...series.map((line) => ({
      y: y(line.points.at(-1)![1]),
      lines: [score(line.points.at(-1)![1])],
      className: `value tone-${line.tone}`,
    })),
  ]
  return svg(
    frame.width,
    frame.height,
    chart.description,
    html`${yAxis(y, yDomain, chart.yLabel)}${xAxis(x, wholeTicks(minimum(xs), maximum(xs)), chart.xLabel)}
${references.map((reference) => referenceLine(y, reference))}
${series.map((line) => drawSeries(line, x, y, chart.xLabel))}
${marginLabels(labels)}`,
  )
}

function drawSeries(line: LineSeries, x: Scale, y: Scale, xLabel: string): Html {
  const places = line.points.map(([step, value]) => [round(x(step)), round(y(value))] as const)
  const path = places.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${px} ${py}`).join('')
  const titles = line.points.map(
    ([step, value]) => `${line.name}, ${xLabel} ${Math.round(step)}: ${score(value)}`,
  )
  const sparse = line.points.length <= FEW_POINTS
  const dots = places.map(([px, py], index) =>
    sparse
      ? marker(tones[line.tone].marker, px, py, 3.2, titles[index])
      : html`<circle class="hover" cx="${px}" cy="${py}" r="6"><title>${titles[index]}</title></circle>`,
  )
  return html`<g class="series tone-${line.tone}"><path class="line" d="${path}"/>${dots}</g>`
}

function wholeTicks(low: number, high: number): number[] {
  const marks = ticks(low, high, 6).filter(Number.isInteger)
  return marks.length > 0 ? marks : [low]
}

function finite(points: Curve): Curve {
  return points.filter(([step, value]) => Number.isFinite(step) && Number.isFinite(value))
}

/** Means of equal groups of neighboring points, at most `mostPoints` of them. */
function thin(points: Curve): Curve {
  const group = Math.ceil(points.length / MOST_POINTS)
  if (group <= 1) return points
  return Array.from({ length: Math.ceil(points.length / group) }, (_, index) => {
    const part = points.slice(index * group, (index + 1) * group)
    const mean = (column: 0 | 1) => part.reduce((sum, point) => sum + point[column], 0) / part.length
    return [mean(0), mean(1)] as const
  })
}

function minimum(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
}

function maximum(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
}

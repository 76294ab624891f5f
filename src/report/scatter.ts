import { linearScale, marker, svg } from './chart.js'
import { type Html, html } from './html.js'
import { subjectHues, subjectMarkers } from './palette.js'
import type { EmbeddingPlot } from './reportInput.js'

const SIDE = 480
const MARGIN = 22

/**
 * Points of an embedding, one hue and marker per subject, both axes to the same scale. No ticks: the units of UMAP mean
 * nothing. `order` lists the subjects, so that two plots of the same subjects use the same symbols.
 */
export function scatter(plot: EmbeddingPlot, order: readonly string[], description: string): Html {
  const xs = plot.points.map((point) => point[0])
  const ys = plot.points.map((point) => point[1])
  const span = Math.max(extent(xs), extent(ys)) || 1
  const axis = (values: readonly number[]) => {
    const centre = (Math.min(...values) + Math.max(...values)) / 2
    return linearScale([centre - span / 2, centre + span / 2], [MARGIN, SIDE - MARGIN])
  }
  const [x, y] = [axis(xs), axis(ys)]
  const groups = order.map((subject, rank) => {
    const shape = subjectMarkers[Math.floor(rank / subjectHues.length) % subjectMarkers.length]
    const points = plot.points
      .filter((_, index) => plot.subjects[index] === subject)
      .map(([px, py]) => marker(shape, x(px), y(py), 4.2, `subject ${subject}`))
    return html`<g class="point subject-${rank % subjectHues.length}">${points}</g>`
  })
  return svg(
    SIDE,
    SIDE,
    description,
    html`<rect class="box" x="1" y="1" width="${SIDE - 2}" height="${SIDE - 2}" rx="4"/>${groups}`,
  )
}

/** Fraction of points whose nearest neighbor in the plane is the same subject. */
export function neighborShare(plot: EmbeddingPlot): number {
  const { points, subjects } = plot
  let same = 0
  points.forEach(([px, py], self) => {
    let nearest = -1
    let least = Number.POSITIVE_INFINITY
    points.forEach(([qx, qy], other) => {
      const distance = (px - qx) ** 2 + (py - qy) ** 2
      if (other !== self && distance < least) {
        least = distance
        nearest = other
      }
    })
    if (nearest >= 0 && subjects[nearest] === subjects[self]) same++
  })
  return points.length > 0 ? same / points.length : 0
}

function extent(values: readonly number[]): number {
  return values.length > 0 ? Math.max(...values) - Math.min(...values) : 0
}

import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { themeChange } from './theme.js'

export interface ChartSeries {
  readonly label: string
  /** A CSS custom property that holds the color, such as --tone-training. */
  readonly tone: string
  readonly dash?: readonly number[]
}

interface Props {
  readonly title: string
  /** Names of the axes. */
  readonly x: string
  readonly y: string
  readonly series: readonly ChartSeries[]
  /** x, then one column per series; null leaves a gap. */
  readonly data: readonly (readonly (number | null)[])[]
  readonly height?: number
  /** A dot at each value: for curves of few values. */
  readonly dots?: boolean
}

function color(property: string): string {
  // Canvases know no light-dark(): an element's computed color does.
  const probe = document.createElement('span')
  probe.style.color = `var(${property})`
  document.body.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

/** A live curve by uPlot, in the page's colors, as wide as there is room. */
export function LineChart({ title, x, y, series, data, height = 220, dots = false }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  // A chart that is made anew, in other colors, shows what it showed.
  const latest = useRef(data)
  latest.current = data
  const shape = JSON.stringify([series, x, y, height, dots])
  useEffect(() => {
    const parent = box.current!
    const make = () => {
      plot.current?.destroy()
      plot.current = new uPlot(options(), latest.current as uPlot.AlignedData, parent)
    }
    const axis = (label: string): uPlot.Axis => ({
      label,
      stroke: color('--soft'),
      grid: { stroke: color('--grid'), width: 1 },
      ticks: { stroke: color('--grid'), width: 1 },
      font: '12px system-ui, sans-serif',
      labelFont: '12px system-ui, sans-serif',
      labelSize: 22,
    })
    const options = (): uPlot.Options => ({
      width: Math.max(200, parent.clientWidth),
      height,
      cursor: { y: false },
      // One line needs no key; its value under the pointer is not worth a row that jumps.
      legend: { show: series.length > 1, live: false },
      scales: { x: { time: false } },
      axes: [axis(x), { ...axis(y), size: 52 }],
      series: [
        { label: x },
        ...series.map(({ label, tone, dash }) => ({
          label,
          stroke: color(tone),
          width: 1.75,
          // A single value makes no line.
          points: { show: (plot: uPlot) => (dots && !dash) || plot.data[0].length === 1, size: 5 },
          spanGaps: true,
          ...(dash ? { dash: [...dash] } : {}),
        })),
      ],
    })
    make()
    const observer = new ResizeObserver(() => {
      const width = parent.clientWidth
      if (width > 0 && width !== plot.current?.width) plot.current?.setSize({ width, height })
    })
    observer.observe(parent)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    addEventListener(themeChange, make)
    scheme.addEventListener('change', make)
    return () => {
      observer.disconnect()
      removeEventListener(themeChange, make)
      scheme.removeEventListener('change', make)
      plot.current?.destroy()
      plot.current = null
    }
  }, [shape])
  useEffect(() => plot.current?.setData(data as uPlot.AlignedData), [data])
  const empty = data[0].length === 0
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={box} class="plot" role="img" aria-label={title} hidden={empty} />
      {empty && <p class="placeholder">No data yet</p>}
    </figure>
  )
}

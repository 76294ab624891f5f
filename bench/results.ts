/** The results as sections of tables, for the terminal and bench/RESULTS.md. */
import type { BenchResults, PeerRow } from './schema.js'
import { figure, markdownTable, mebibytes, range, type Table, textTable } from './table.js'
import { geometricMean, type Timing } from './timing.js'

type SectionName = 'ceilings' | 'kernels' | 'step' | 'growth' | 'firstStep' | 'peers'

interface Section {
  readonly title: string
  /** Paragraphs and tables in order. */
  readonly parts: readonly (string | Table)[]
}

export function printSection(results: BenchResults, name: SectionName): void {
  const { title, parts } = sections[name](results)
  console.log(`\n${title}`)
  for (const part of parts) console.log(typeof part === 'string' ? part : textTable(part))
}

/** bench/RESULTS.md. */
export function resultsMarkdown(results: BenchResults): string {
  const { adapter, date, command, versions, peersMissing } = results
  const [smallest, largest] = adapter.subgroupSizes
  const facts = [
    `- Adapter: ${adapter.description}${adapter.software ? ' (software, runs on the CPU)' : ''}, subgroups ${smallest}–${largest}, shader-f16 ${adapter.f16 ? 'yes' : 'no'}`,
    `- Date: ${date.slice(0, 10)}`,
    `- Command: \`${command}\``,
    `- Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    ...(peersMissing ? [`- **Peers missing**: ${peersMissing}`] : []),
  ]
  const order: SectionName[] = ['ceilings', 'peers', 'firstStep', 'step', 'growth', 'kernels']
  const text = order.flatMap((name) => {
    const { title, parts } = sections[name](results)
    return [`## ${title}`, ...parts.map((part) => (typeof part === 'string' ? part : markdownTable(part)))]
  })
  const intro =
    'Written by `npm run bench`; see [docs/benchmark.md](../docs/benchmark.md) for what the numbers mean.'
  return `${['# Benchmark results', intro, facts.join('\n'), ...text].join('\n\n')}\n`
}

const sections: Record<SectionName, (results: BenchResults) => Section> = {
  ceilings: ({ ceilings }) => ({
    title: 'Ceilings of this adapter',
    parts: [
      `${figure(ceilings.fmaGflops)} GFLOP/s of multiply-adds in registers, ${figure(ceilings.copyGBs)} GB/s of copying (read + written).`,
    ],
  }),
  peers: peersSection,
  firstStep: ({ firstStep }) => ({
    title: 'Seconds from process start to the first finished training step',
    parts: [
      {
        head: ['engine', 'cold', 'warm'],
        rows: firstStep.map(({ engine, cold, warm }) => [engine, seconds(cold), seconds(warm)]),
      },
      ...firstStep.flatMap(({ engine, reason }) => (reason ? [`${engine}: ${reason}`] : [])),
    ],
  }),
  step: stepSection,
  growth: ({ growth }) => ({
    title: 'Growth while training',
    parts: growth
      ? [
          {
            head: ['step', 'buffers made', 'bind groups made', 'device MiB', 'JS heap MiB'],
            rows: [growth.early, growth.late].map((sample) => [
              String(sample.step),
              String(sample.buffers),
              String(sample.bindGroups),
              mebibytes(sample.deviceBytes),
              mebibytes(sample.heapBytes),
            ]),
          },
        ]
      : [],
  }),
  kernels: ({ kernels }) => ({
    title: 'Kernels',
    parts: [
      'Each op forward and backward by the wall clock, followed by its kernels, timed by timestamps.',
      {
        head: ['op or kernel', 'shape', 'ms', 'min–max', 'GFLOP/s', 'GB/s', '% of ceiling'],
        rows: kernels.map((row) => [
          row.clock === 'wall' ? row.name : `· ${row.name.split(' > ')[1]}`,
          row.shape,
          figure(row.ms),
          range(row.spread),
          figure(row.gflops),
          figure(row.gbs),
          figure(row.percentOfCeiling),
        ]),
      },
    ],
  }),
}

function seconds(timing: Timing | null): string {
  if (timing === null) return '–'
  const [low, high] = timing.spread
  return `${figure(timing.ms / 1000)} (${range([low / 1000, high / 1000])})`
}

function peersSection({ peers }: BenchResults): Section {
  const names = ['tfjs', 'jaxjs', ...(peers.some(({ torchCpu }) => torchCpu) ? ['torchCpu'] : [])] as const
  const cell = (row: PeerRow, name: string) => {
    const ms = row[name as 'tfjs']
    return ms ? `${figure(ms)} (${range(row.spread[name])})` : '–'
  }
  const rows = peers.map((row) => [
    `${row.work} ${row.shape}`,
    cell(row, 'ours'),
    ...names.map((name) => cell(row, name)),
    ratioText(row),
  ])
  const notes = peers.flatMap(({ work, shape, notes }) =>
    Object.entries(notes).map(([name, reason]) => `- ${work} ${shape}: ${name} ${reason}`),
  )
  return {
    title: 'Against the peers',
    parts: [
      'Milliseconds, median (min–max) of alternating rounds. The last column is the time of the faster WebGPU peer divided by ours.',
      { head: ['work', 'ours', ...names, 'ratio'], rows },
      ...means(peers),
      ...(notes.length > 0 ? [notes.join('\n')] : []),
    ],
  }
}

/** How many times longer the faster of the two WebGPU peers takes; null where there is none. */
function ratio({ ours, tfjs, jaxjs }: PeerRow): number | null {
  const fastest = Math.min(tfjs ?? Number.POSITIVE_INFINITY, jaxjs ?? Number.POSITIVE_INFINITY)
  return Number.isFinite(fastest) ? fastest / ours : null
}

function ratioText(row: PeerRow): string {
  const value = ratio(row)
  return value === null ? '–' : `${value.toFixed(2)}×`
}

function means(peers: readonly PeerRow[]): string[] {
  const works = [...new Set(peers.map(({ work }) => work))]
  const parts = works.flatMap((work) => {
    const ratios = peers.filter((row) => row.work === work).flatMap((row) => ratio(row) ?? [])
    if (ratios.length === 0) return []
    return [`${work} ${geometricMean(ratios).toFixed(2)}× (lowest ${Math.min(...ratios).toFixed(2)}×)`]
  })
  return parts.length > 0 ? [`Geometric means: ${parts.join(', ')}.`] : []
}

function stepSection({ step }: BenchResults): Section {
  const rows = Object.values(step)
  const overview: Table = {
    head: [
      'step',
      'batch',
      'ms',
      'min–max',
      'images/s',
      'kernels ms',
      'host ms',
      'of that, upload',
      'waiting ms',
    ],
    rows: rows.map((row) => [
      row.title,
      String(row.batch),
      figure(row.ms),
      range(row.spread),
      figure(row.imagesPerSecond),
      row.kernelMs === null ? '–' : figure(row.kernelMs),
      figure(row.hostMs),
      figure(row.uploadMs),
      figure(row.waitMs),
    ]),
  }
  const host: Table = {
    head: ['step', 'dispatches', 'submits', 'host µs/dispatch', 'peak MiB', 'minimum MiB', 'peak/minimum'],
    rows: rows.map(({ title, dispatches, submits, hostMicrosecondsPerDispatch, memory }) => [
      title,
      String(dispatches),
      String(submits),
      figure(hostMicrosecondsPerDispatch),
      mebibytes(memory.peakBytes),
      mebibytes(memory.minimumBytes),
      (memory.peakBytes / memory.minimumBytes).toFixed(2),
    ]),
  }
  const kernels = rows
    .filter((row) => row.kernels.length > 0)
    .flatMap(({ title, kernels, kernelMs }) => [
      `${title}, by kernel:`,
      {
        head: ['kernel', 'dispatches', 'ms', 'share', 'GFLOP/s', '% of ceiling'],
        rows: kernels.map((kernel) => [
          kernel.name,
          String(kernel.dispatches),
          figure(kernel.ms),
          `${((100 * kernel.ms) / kernelMs!).toFixed(1)} %`,
          figure(kernel.gflops),
          figure(kernel.percentOfCeiling),
        ]),
      },
    ])
  return { title: 'Training steps', parts: [overview, host, ...kernels] }
}
